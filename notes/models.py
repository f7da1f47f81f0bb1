"""Notes, the people who see them, and what each of those people made of them.

A note is content. A membership is one person's view of it, the owner's too: whether it is pinned, archived, labelled or
to be reminded of is nobody else's business. So every list is one query on memberships.

Foreign keys have no index of their own where a constraint or a list's index begins with them.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from config.claims import Job, pending

from .querysets import LabelQuerySet, MembershipQuerySet, NoteQuerySet
from .text import COLORS, HEX_COLOR, label_key

MAX_TITLE = 1_000
MAX_BODY = 100_000
MAX_ITEMS = 500
MAX_ITEM_TEXT = 1_000
MAX_LABELS_A_NOTE = 100
MAX_LABELS_A_PERSON = 1_000
MAX_LABEL_NAME = 100
MAX_COLLABORATORS = 50


class Role(models.TextChoices):
    """What a person may do with a note: read it, write it, and (the one owner) share, trash and delete it."""

    OWNER = "owner", "owner"
    EDITOR = "editor", "editor"
    VIEWER = "viewer", "viewer"


class Note(models.Model):
    """What is written. ``version`` counts its changes, so that nobody overwrites what they have not read."""

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
        null=True, max_length=32, editable=False, help_text="Of the imported note this was made from."
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
            models.UniqueConstraint(fields=["owner", "import_digest"], name="note_imported_once"),
        )
        indexes = (
            GinIndex(OpClass("search_text", name="gin_trgm_ops"), name="note_search"),
            models.Index(fields=["trashed_at"], name="note_trash", condition=Q(trashed_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"Note {self.pk}"


class Label(models.Model):
    """A word that a person sorts notes by."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="note_labels"
    )
    name = models.CharField(max_length=MAX_LABEL_NAME)
    key = models.CharField(max_length=3 * MAX_LABEL_NAME, editable=False, help_text="The name without regard to case.")

    objects: ClassVar = LabelQuerySet.as_manager()

    class Meta:
        ordering = ("key",)
        constraints = (models.UniqueConstraint(fields=["owner", "key"], name="label_unique_a_person"),)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.key = label_key(self.name)
        super().save(*args, **kwargs)


class Membership(models.Model):
    """One person's view of one note.

    ``trashed`` and ``updated_at`` repeat the note's own, because the lists are filtered and sorted by them: one index
    then gives a page of any list without looking at the other notes. ``services`` writes both in one transaction.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="note_memberships"
    )
    note = models.ForeignKey(Note, on_delete=models.CASCADE, db_index=False, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role)
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    trashed = models.BooleanField(default=False, editable=False)
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
            # The default list, walked from its end; then the same without "pinned first", and in every state.
            models.Index(fields=["user", "trashed", "archived", "pinned", "updated_at", "note"], name="note_list"),
            models.Index(fields=["user", "updated_at", "note"], name="note_list_recent"),
        )

    def __str__(self) -> str:
        return f"{self.user} on note {self.note_id}"


class MembershipLabel(models.Model):
    """A label that a person put on their view of a note."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, db_index=False, related_name="labellings")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="labellings")

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["membership", "label"], name="membershiplabel_once"),)

    def __str__(self) -> str:
        return f"{self.label_id} on {self.membership_id}"


class Reminder(Job):
    """A mail that a person wants at ``remind_at``. The row goes when the mail is on its way."""

    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="reminder")
    remind_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("remind_at",)
        indexes = (pending("reminder_pending"),)

    def __str__(self) -> str:
        return f"Reminder {self.pk} at {self.remind_at:%Y-%m-%d %H:%M}"


class NoteImport(Job):
    """A Google Keep archive to be read. The worker takes it in steps, each committed together with its count."""

    is_reported = True

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        PROCESSING = "processing", "processing"
        COMPLETED = "completed", "completed"
        COMPLETED_WITH_ERRORS = "completed_with_errors", "completed with errors"
        FAILED = "failed", "failed"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="note_imports"
    )
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(help_text="Bytes.")
    file = models.CharField(max_length=200, editable=False, help_text="Its key in the storage, until it is read.")
    status = models.CharField(max_length=21, choices=Status, default=Status.QUEUED)
    total = models.PositiveIntegerField(default=0, help_text="Notes in the archive.")
    processed = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    ignored = models.PositiveIntegerField(default=0, help_text="Files in the archive that are no notes.")
    problems = models.JSONField(default=list, blank=True, help_text="The first hundred: [{file, code, detail}].")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = (
            pending("noteimport_pending"),
            models.Index(fields=["user", "-id"], name="noteimport_of_user"),
        )

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
