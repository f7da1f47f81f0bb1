"""Uploaded sheets, what became of each of their rows, and the gates that space out the rows of one key."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Concat, Now

from config.claims import Job, pending
from config.search import Fold

from .querysets import FileMetadataQuerySet, OwnedQuerySet, PiecesQuerySet

NAME_LENGTH = 200


class FileMetadata(Job):
    """An uploaded sheet. The file itself is in the storage alone; this row says where, and how far its reading is.

    It is also the job: ``cursor`` is the last row of the sheet that was decided, and moves in the transaction that
    stores the rows up to it. ``epoch`` counts the workers that took it up: one that was thought dead and comes back
    finds another number there and stops.
    """

    is_reported = True

    class Status(models.TextChoices):
        UPLOADING = "uploading", "being uploaded"
        QUEUED = "queued", "queued"
        PROCESSING = "processing", "processing"
        COMPLETED = "completed", "completed"
        COMPLETED_WITH_ERRORS = "completed_with_errors", "completed with errors"
        FAILED = "failed", "failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255, help_text="The file's name as it was uploaded.")
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField("SHA-256", max_length=64)
    key = models.CharField(max_length=100, unique=True, help_text="Where it lies in the storage.")
    duplicate_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="+",
        help_text="The owner's earlier upload of the same content.",
    )  # fmt: skip
    idempotency_key = models.CharField(max_length=255, blank=True)
    total_rows = models.PositiveIntegerField(help_text="Rows of the sheet that hold anything, the header not counted.")
    accepted = models.PositiveIntegerField(default=0, help_text="Rows stored at once.")
    deferred = models.PositiveIntegerField(default=0, help_text="Rows that had to wait for their window.")
    rejected = models.PositiveIntegerField(default=0)
    cursor = models.PositiveIntegerField(default=0, help_text="The last row of the sheet that was decided.")
    epoch = models.PositiveIntegerField(default=0, help_text="How often a worker took it up.")
    error_code = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    stored_at = models.DateTimeField(null=True, help_text="When the original was safe in the storage.")
    started_at = models.DateTimeField(null=True)
    # One truth: what the API calls the status follows from the instants.
    status = models.GeneratedField(
        expression=Case(
            When(failed_at__isnull=False, then=Value("failed")),
            When(done_at__isnull=False, rejected__gt=0, then=Value("completed_with_errors")),
            When(done_at__isnull=False, then=Value("completed")),
            When(stored_at__isnull=True, then=Value("uploading")),
            When(started_at__isnull=True, then=Value("queued")),
            default=Value("processing"),
        ),
        output_field=models.CharField(max_length=30, choices=Status),
        db_persist=True,
    )

    objects: ClassVar = FileMetadataQuerySet.as_manager()

    class Meta:
        verbose_name = "uploaded file"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], condition=~Q(idempotency_key=""), name="filemetadata_once_a_key"
            ),
            models.CheckConstraint(
                condition=Q(total_rows__gte=F("accepted") + F("deferred") + F("rejected")),
                name="filemetadata_no_row_twice",
            ),
        )
        indexes = (
            pending("filemetadata_pending"),
            models.Index(fields=["owner", "-id"], name="filemetadata_of_owner"),
            models.Index(fields=["owner", "sha256"], name="filemetadata_same_content"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def processed_rows(self) -> int:
        return self.accepted + self.deferred + self.rejected

    @property
    def finished_at(self) -> object:
        return self.done_at or self.failed_at


class SheetRow(models.Model):
    """A row of a sheet, its texts as they came. ``row`` is its number in the sheet: the header is usually row 1."""

    row = models.PositiveIntegerField()
    name = models.CharField(max_length=NAME_LENGTH, blank=True)
    phone_number = models.TextField(blank=True)
    email_address = models.TextField("e-mail address", blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name or self.phone_number or self.email_address


class KeyedRow(SheetRow):
    """A row that may be stored. Its keys are what is compared: the phone's digits, the e-mail in lower case."""

    # No constraint: the upload has the same owner, and has one. Checking it would take a lock on the person's row while
    # the window's is held, in which case the deletion of an account and a worker could wait for each other.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    upload = models.ForeignKey(FileMetadata, on_delete=models.CASCADE, related_name="%(class)ss", db_index=False)
    phone_key = models.CharField(max_length=15, blank=True)
    email_key = models.CharField("e-mail key", max_length=254, blank=True)
    # What a search looks into. One text and one index: three would make a bulk load three times as slow.
    search_text = models.GeneratedField(
        expression=Concat(
            *("name", Value(" "), "phone_number", Value(" "), "phone_key", Value(" "), "email_address"),
            output_field=models.TextField(),
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True


class Contact(KeyedRow):
    accepted_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["upload", "row"], name="contact_once_a_row"),
            models.CheckConstraint(condition=~Q(phone_key="", email_key=""), name="contact_has_a_key"),
        )
        indexes = (
            models.Index(fields=["owner", "-id"], name="contact_of_owner"),
            GinIndex(F("owner"), OpClass(Fold("search_text"), name="gin_trgm_ops"), name="contact_search"),
        )


class UnprocessedContact(KeyedRow):
    """A row whose phone or e-mail is busy. Rows of one key wait in line, in the order of their ids."""

    received_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="The first instant at which both its keys are free.")
    phone_busy = models.BooleanField(help_text="Whether it waits for its phone number.")
    email_busy = models.BooleanField("e-mail busy", help_text="Whether it waits for its e-mail address.")

    class Meta:
        verbose_name = "unprocessed contact"
        ordering = ("due_at", "id")
        constraints = (models.UniqueConstraint(fields=["upload", "row"], name="unprocessed_once_a_row"),)
        indexes = (
            models.Index(fields=["due_at", "id"], name="unprocessed_due"),
            models.Index(fields=["owner", "due_at", "id"], name="unprocessed_of_owner"),
            models.Index(fields=["phone_key", "id"], name="unprocessed_phone", condition=~Q(phone_key="")),
            models.Index(fields=["email_key", "id"], name="unprocessed_email", condition=~Q(email_key="")),
        )


class RejectedRow(SheetRow):
    """A row that cannot be stored, and why. ``column``, ``code`` and ``value`` are its first fault's."""

    upload = models.ForeignKey(FileMetadata, on_delete=models.CASCADE, related_name="rejected_rows", db_index=False)
    name = models.TextField(blank=True)
    column = models.CharField(max_length=40)
    code = models.CharField(max_length=40)
    message = models.TextField()
    value = models.TextField(blank=True)

    objects = PiecesQuerySet.as_manager()

    class Meta:
        ordering = ("upload", "row")
        constraints = (models.UniqueConstraint(fields=["upload", "row"], name="rejectedrow_once_a_row"),)


class KeyGate(models.Model):
    """When a key was last stored, and when the next row that bears it may be. No row means free.

    Keys look like ``tel:37491123456`` and ``mailto:ana@example.com``.
    """

    key = models.CharField(max_length=270, primary_key=True)
    stored_at = models.DateTimeField(null=True, help_text="When a row with this key was last stored.")
    next_free_at = models.DateTimeField(help_text="The first instant for a row that comes now.")

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key
