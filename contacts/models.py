"""Uploaded sheets, the outcome of each row, and the gates that keep rows of one key apart."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q, Value, When
from django.db.models.functions import Concat, Left

from config.db.search import Fold
from config.jobs.job import ImportJob, Job, Status, due_index, failed_index, status_field

from .querysets import ContactQuerySet, FileMetadataQuerySet, RowQuerySet

NAME_LENGTH = 200


class UploadStatus(models.TextChoices):
    """What the API calls the state of an upload: that of its import, until the upload is undone."""

    QUEUED = Status.QUEUED.value, Status.QUEUED.label
    PROCESSING = Status.PROCESSING.value, Status.PROCESSING.label
    COMPLETED = Status.COMPLETED.value, Status.COMPLETED.label
    COMPLETED_WITH_ERRORS = Status.COMPLETED_WITH_ERRORS.value, Status.COMPLETED_WITH_ERRORS.label
    FAILED = Status.FAILED.value, Status.FAILED.label
    UNDOING = "undoing", "undoing"
    UNDONE = "undone", "undone"


class FileMetadata(ImportJob):
    """An uploaded sheet. Its file is in the storage under ``key``; ``cursor`` is the last row that was decided.

    A deleted upload whose contacts remain keeps its row without any content, because they refer to it.
    """

    task = "contacts.tasks.import_uploads"
    retry_service = "contacts.services.uploads.retry_uploads"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField("SHA-256", max_length=64)
    key = models.CharField(max_length=100, unique=True, help_text="The file's key in the storage.")
    duplicate_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="+",
        help_text="The owner's earlier upload of the same content.",
    )  # fmt: skip
    idempotency_key = models.CharField(max_length=255, blank=True)
    encoding = models.CharField(
        max_length=40, blank=True, db_default="", help_text="The text encoding of a CSV file; empty for a workbook."
    )
    mapping = models.JSONField(
        null=True, help_text="The columns of each field. Null: the file has exactly the three columns."
    )
    sheet = models.CharField(
        max_length=255, blank=True, db_default="", help_text="The chosen sheet. Empty: the first visible one."
    )
    total_rows = models.PositiveIntegerField(help_text="Rows with any content, without the header.")
    accepted = models.PositiveIntegerField(default=0, help_text="Rows stored at once.")
    deferred = models.PositiveIntegerField(default=0, help_text="Rows that had to wait for their window.")
    undo_requested_at = models.DateTimeField(null=True, editable=False)
    undone_at = models.DateTimeField(null=True, editable=False)
    removed_contacts = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Contacts that an undo has removed."
    )
    removed_waiting = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Waiting rows that an undo has removed."
    )
    deleted_at = models.DateTimeField(null=True, editable=False)
    status = status_field(
        When(undone_at__isnull=False, then=Value(UploadStatus.UNDONE.value)),
        When(undo_requested_at__isnull=False, then=Value(UploadStatus.UNDOING.value)),
        choices=UploadStatus,
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
            models.CheckConstraint(
                condition=Q(undo_requested_at=None) | ~Q(done_at=None) | ~Q(failed_at=None),
                name="filemetadata_undo_after_import",
            ),
        )
        indexes = (
            due_index("filemetadata_pending"),
            failed_index("filemetadata_failed"),
            models.Index(fields=["owner", "-id"], name="filemetadata_of_owner"),
            models.Index(fields=["owner", "sha256"], name="filemetadata_same_content"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_csv(self) -> bool:
        return bool(self.encoding)

    @property
    def processed_rows(self) -> int:
        return self.accepted + self.deferred + self.rejected


class UploadUndo(Job):
    """The undo of an upload that is too large for a request: a worker removes its rows in batches."""

    task = "contacts.tasks.undo_uploads"
    retry_service = ""  # its failure has released the upload, whose owner can undo it again

    upload = models.OneToOneField(FileMetadata, on_delete=models.CASCADE, related_name="undo")

    class Meta:
        verbose_name = "undo of an upload"
        verbose_name_plural = "undos of uploads"
        ordering = ("-id",)
        indexes = (
            due_index("uploadundo_pending"),
            failed_index("uploadundo_failed"),
        )

    def __str__(self) -> str:
        return f"undo of upload {self.upload_id}"


class SheetRow(models.Model):
    """A row of a sheet with its original texts. ``row`` is its number in the sheet; the header is usually row 1."""

    row = models.PositiveIntegerField()
    name = models.CharField(max_length=NAME_LENGTH, blank=True)
    phone_number = models.TextField(blank=True)
    email_address = models.TextField("e-mail address", blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name or self.phone_number or self.email_address


class KeyedRow(SheetRow):
    """A valid row. Its keys are compared: the digits of the phone number, the e-mail address in lower case."""

    # No constraint: the upload has the same owner, with a constraint. Checking it would lock the user's row while the
    # window's lock is held, so that a worker and the deletion of an account could wait for each other.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    upload = models.ForeignKey(FileMetadata, on_delete=models.CASCADE, related_name="%(class)ss", db_index=False)
    phone_key = models.CharField(max_length=15, blank=True)
    email_key = models.CharField("e-mail key", max_length=254, blank=True)
    # One text and one index for the search: three indexes would make a bulk load three times as slow. It is stored
    # folded: folding 30,000 found rows again takes a second.
    search_text = models.GeneratedField(
        expression=Fold(
            Concat(
                *("name", Value(" "), "phone_number", Value(" "), "phone_key", Value(" "), "email_address"),
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = ContactQuerySet.as_manager()

    class Meta:
        abstract = True


class Contact(KeyedRow):
    """A row that was stored, at once or after its window."""

    accepted_at = models.DateTimeField()
    # For sorting. Cut, because an index cannot contain texts of any length; stored, so that no read folds names.
    name_key = models.GeneratedField(
        expression=Left(Fold("name"), 100), output_field=models.TextField(), db_persist=True
    )

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["upload", "row"], name="contact_once_a_row"),
            models.CheckConstraint(condition=~Q(phone_key="", email_key=""), name="contact_has_a_key"),
        )
        indexes = (
            models.Index(fields=["owner", "-id"], name="contact_of_owner"),
            models.Index(fields=["owner", "name_key", "id"], name="contact_by_name"),
            GinIndex(F("owner"), OpClass("search_text", name="gin_trgm_ops"), name="contact_search"),
        )


class UnprocessedContact(KeyedRow):
    """A row that waits for its window. Rows of one key are released in the order of their ids."""

    received_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="The first instant at which both keys are free.")
    phone_busy = models.BooleanField(help_text="The phone number is not free yet.")
    email_busy = models.BooleanField("e-mail busy", help_text="The e-mail address is not free yet.")

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
    """An invalid row. ``column``, ``code`` and ``value`` are those of its first error; ``message`` has all of them."""

    upload = models.ForeignKey(FileMetadata, on_delete=models.CASCADE, related_name="rejected_rows", db_index=False)
    name = models.TextField(blank=True)
    column = models.CharField(max_length=40)
    code = models.CharField(max_length=40)
    message = models.TextField()
    value = models.TextField(blank=True)

    objects = RowQuerySet.as_manager()

    class Meta:
        ordering = ("upload", "row")
        constraints = (models.UniqueConstraint(fields=["upload", "row"], name="rejectedrow_once_a_row"),)


class KeyGate(models.Model):
    """When a row with this key was last stored, and when the next one may be. A key without a gate is free.

    Keys look like ``tel:37491123456`` and ``mailto:ana@example.com``.
    """

    key = models.CharField(max_length=270, primary_key=True)
    stored_at = models.DateTimeField(null=True, help_text="When a row with this key was last stored.")
    next_free_at = models.DateTimeField(help_text="The slot of the next row.")

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key
