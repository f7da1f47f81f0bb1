"""Notes, memberships, labels, reminders and imports.

A note is content. A membership is one user's view of a note, including the owner's: pinned, archived, labels and the
reminder are private to that user. Every list is one query on memberships.

A foreign key has no index of its own if a constraint or the index of a list begins with it.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import BooleanField, F, Func, Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from config.db.search import Fold
from config.jobs.job import ImportJob, Job, due_index, failed_index

from .colors import COLORS, HEX_COLOR
from .label_names import label_key
from .querysets import OWNER_KEY, LabelQuerySet, MembershipQuerySet, NoteQuerySet

MAX_TITLE = 1_000
MAX_BODY = 100_000
MAX_ITEMS = 1_000
MAX_ITEM_TEXT = 1_000
MAX_LABELS_PER_NOTE = 100
MAX_LABELS_PER_USER = 1_000
MAX_LABEL_NAME = 100
MAX_COLLABORATORS = 50


class Role(models.TextChoices):
    """What a user may do: a viewer reads, an editor also writes, the one owner also shares, trashes and deletes."""

    OWNER = "owner", "owner"
    EDITOR = "editor", "editor"
    VIEWER = "viewer", "viewer"


class Note(models.Model):
    """The content of a note. ``version`` counts its changes and is the basis of ``If-Match``."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="owned_notes"
    )
    title = models.CharField(max_length=MAX_TITLE, blank=True, default="")
    body = models.TextField(blank=True, default="")
    items = models.JSONField(default=list, blank=True, help_text="The checklist: [{text, checked}].")
    color = models.CharField(max_length=10, default="default")
    version = models.PositiveIntegerField(default=1, editable=False)
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    import_digest = models.BinaryField(
        null=True, max_length=32, editable=False, help_text="Identifies the imported note."
    )
    import_version = models.PositiveIntegerField(
        null=True, editable=False, help_text="The version that the import wrote; a later one was edited here."
    )
    size = models.GeneratedField(
        expression=Func(F("title"), F("body"), F("items"), function="public.notes_size"),
        output_field=models.IntegerField(help_text="Bytes."),
        db_persist=True,
    )
    search_text = models.GeneratedField(
        expression=Func(F("title"), F("body"), F("items"), function="public.notes_search_text"),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects: ClassVar = NoteQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(version__gte=1), name="note_version_from_1"),
            models.CheckConstraint(condition=Q(color__in=COLORS) | Q(color__regex=HEX_COLOR), name="note_color_known"),
            models.CheckConstraint(condition=LessThanOrEqual(Length("body"), MAX_BODY), name="note_body_length"),
            models.CheckConstraint(
                condition=Func(F("items"), function="public.notes_items_valid", output_field=BooleanField()),
                name="note_items_valid",
            ),
            models.UniqueConstraint(fields=["owner", "import_digest"], name="note_imported_once"),
        )
        indexes = (
            GinIndex(OWNER_KEY, OpClass("search_text", name="gin_trgm_ops"), name="note_search_own"),
            models.Index(fields=["owner"], include=["size"], name="note_quota"),
            models.Index(fields=["trashed_at"], name="note_trash", condition=Q(trashed_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"Note {self.pk}"


class Label(models.Model):
    """A name that a user sorts notes by."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="note_labels"
    )
    name = models.CharField(max_length=MAX_LABEL_NAME)
    key = models.CharField(max_length=3 * MAX_LABEL_NAME, editable=False, help_text="The name without case.")
    folded = models.GeneratedField(expression=Fold("name"), output_field=models.TextField(), db_persist=True)

    objects: ClassVar = LabelQuerySet.as_manager()

    class Meta:
        ordering = ("folded", "id")
        constraints = (models.UniqueConstraint(fields=["owner", "key"], name="label_unique_a_person"),)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.key = label_key(self.name)
        super().save(*args, **kwargs)


class Membership(models.Model):
    """One user's view of one note.

    ``trashed`` and ``updated_at`` are copies of the note's, so that one index serves every list. The services write
    both in one transaction (docs/decisions/notes-lists-are-one-query.md).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="note_memberships"
    )
    note = models.ForeignKey(Note, on_delete=models.CASCADE, db_index=False, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role)
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    trashed = models.BooleanField(default=False, editable=False)
    withheld = models.BooleanField(
        db_default=False, editable=False, help_text="Shared by somebody whom the user had blocked; never shown."
    )
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    joined_at = models.DateTimeField(db_default=Now(), editable=False)
    labels = models.ManyToManyField(Label, through="MembershipLabel", related_name="memberships")

    objects: ClassVar = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["note", "user"], name="membership_once"),
            models.UniqueConstraint(fields=["note"], condition=Q(role="owner"), name="membership_one_owner"),
            models.CheckConstraint(condition=Q(role__in=["owner", "editor", "viewer"]), name="membership_role_known"),
        )
        indexes = (
            # The default list, read from its end; then the lists of every state without "pinned first".
            models.Index(fields=["user", "trashed", "archived", "pinned", "updated_at", "note"], name="note_list"),
            models.Index(fields=["user", "updated_at", "note"], name="note_list_recent"),
            models.Index(fields=["user"], include=["note"], name="note_shared", condition=~Q(role="owner")),
        )

    def __str__(self) -> str:
        return f"{self.user} on note {self.note_id}"


class MembershipLabel(models.Model):
    """A label on one user's view of a note."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, db_index=False, related_name="labellings")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="labellings")

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["membership", "label"], name="membershiplabel_once"),)

    def __str__(self) -> str:
        return f"{self.label_id} on {self.membership_id}"


class Reminder(Job):
    """A mail that is due at ``remind_at``. The row is deleted in the transaction that queues the mail."""

    task = "notes.tasks.send_reminders"

    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="reminder")
    remind_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("remind_at",)
        indexes = (
            due_index("reminder_pending"),
            failed_index("reminder_failed"),
        )

    def __str__(self) -> str:
        return f"Reminder {self.pk} at {self.remind_at:%Y-%m-%d %H:%M}"


class NoteImport(ImportJob):
    """A Google Keep archive to import. ``cursor`` is the number of notes that were read."""

    task = "notes.tasks.import_notes"
    retry_service = ""  # the archive is deleted when the import ends

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="note_imports"
    )
    size = models.BigIntegerField(help_text="Bytes.")
    file = models.CharField(max_length=200, editable=False, help_text="Storage key, until the import ends.")
    total = models.PositiveIntegerField(default=0, help_text="Notes in the archive.")
    processed = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    ignored = models.PositiveIntegerField(default=0, help_text="Files in the archive that are not notes.")
    problems = models.JSONField(default=list, blank=True, help_text="The first hundred: [{file, code, detail}].")

    class Meta:
        ordering = ("-id",)
        indexes = (
            due_index("noteimport_pending"),
            failed_index("noteimport_failed"),
            models.Index(fields=["user", "-id"], name="noteimport_of_user"),
        )

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
