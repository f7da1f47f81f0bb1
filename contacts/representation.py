"""How uploads and rows look in the API. Events of an upload carry the same object as the API."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from .models import Contact, FileMetadata, RejectedRow, UnprocessedContact, UploadStatus

_LINKS = {
    "original": "https://atrium.example.org/api/v1/contacts/uploads/7/original/",
    "errors": "https://atrium.example.org/api/v1/contacts/uploads/7/errors/",
    "errors_xlsx": "https://atrium.example.org/api/v1/contacts/uploads/7/errors.xlsx",
    "errors_file": "https://atrium.example.org/api/v1/contacts/uploads/7/errors.xlsx",
    "contacts": "https://atrium.example.org/api/v1/contacts/?upload=7",
}
_QUEUED = {
    "id": 7,
    "name": "contacts.xlsx",
    "size": 42212,
    "encoding": None,
    "status": "queued",
    "total_rows": 1000,
    "processed_rows": 0,
    "accepted": 0,
    "deferred": 0,
    "rejected": 0,
    "removed_contacts": 0,
    "removed_waiting": 0,
    "duplicate_of": None,
    "created_at": "2026-01-02T03:04:05Z",
    "finished_at": None,
    "error": None,
    "links": _LINKS,
}
_COMPLETED = _QUEUED | {
    "status": "completed", "processed_rows": 1000, "accepted": 990, "deferred": 10,
    "finished_at": "2026-01-02T03:04:06Z", "waiting": 10, "reasons": [],
}  # fmt: skip


class UploadErrorSerializer(serializers.Serializer):
    code = serializers.CharField(source="error_code", help_text="For programs, such as `unsafe_file`.")
    detail = serializers.CharField(source="error", help_text="For people.")


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="The code of the first error of a row, such as `phone_invalid`.")
    rows = serializers.IntegerField(help_text="How many rows have it.")


class UploadLinksSerializer(serializers.Serializer):
    original = serializers.URLField()
    errors = serializers.URLField()
    errors_xlsx = serializers.URLField()
    errors_file = serializers.URLField(help_text="The rejected rows in the format of the upload: `.xlsx` or `.csv`.")
    contacts = serializers.URLField()


@extend_schema_serializer(
    component_name="Upload",
    examples=[
        OpenApiExample("Just uploaded", _QUEUED, response_only=True, status_codes=["202"]),
        OpenApiExample("Completed", _COMPLETED, response_only=True, status_codes=["200"]),
    ],
)
class UploadSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    encoding = serializers.SerializerMethodField(help_text="The detected encoding of a CSV file, such as `cp1252`.")
    status = serializers.ChoiceField(UploadStatus.choices)
    total_rows = serializers.IntegerField(help_text="Rows with any content, without the header.")
    processed_rows = serializers.IntegerField(help_text="Rows decided so far. Increases while the file is read.")
    accepted = serializers.IntegerField(help_text="Rows stored at once.")
    deferred = serializers.IntegerField(help_text="Rows that had to wait for their window, also if stored since.")
    rejected = serializers.IntegerField(help_text="Invalid rows. `links.errors` lists them with their reason.")
    removed_contacts = serializers.IntegerField(help_text="Contacts that an undo has removed.")
    removed_waiting = serializers.IntegerField(help_text="Waiting rows that an undo has removed.")
    duplicate_of = serializers.IntegerField(
        source="duplicate_of_id", allow_null=True, help_text="Your first upload of the same content."
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    error = serializers.SerializerMethodField(help_text="Why the upload failed.")
    links = serializers.SerializerMethodField()
    waiting = serializers.IntegerField(required=False, help_text="Rows that wait now. Only in answers to GET.")
    reasons = ReasonSerializer(
        many=True,
        required=False,
        help_text="Why rows were rejected, most frequent first. Only in the GET of one upload.",
    )

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_encoding(self, upload: FileMetadata) -> str | None:
        return upload.encoding or None

    @extend_schema_field(UploadErrorSerializer(allow_null=True))
    def get_error(self, upload: FileMetadata) -> dict[str, str] | None:
        return UploadErrorSerializer(upload).data if upload.failed_at else None

    @extend_schema_field(UploadLinksSerializer)
    def get_links(self, upload: FileMetadata) -> dict[str, str]:
        def url(name: str) -> str:
            return settings.PUBLIC_URL + reverse(name, args=[upload.pk])

        return {
            "original": url("contacts:original"),
            "errors": url("contacts:errors"),
            "errors_xlsx": url("contacts:errors-xlsx"),
            "errors_file": url("contacts:errors-csv" if upload.is_csv else "contacts:errors-xlsx"),
            "contacts": f"{settings.PUBLIC_URL}{reverse('contacts:contacts')}?upload={upload.pk}",
        }


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A contact",
            {
                "id": 1,
                "name": "Ana Petrosyan",
                "phone_number": "(+374) 91-12-34-56",
                "email_address": "ana@example.com",
                "upload": 7,
                "accepted_at": "2026-01-02T03:04:06Z",
            },
            response_only=True,
        )
    ]
)
class ContactSerializer(serializers.ModelSerializer):
    upload = serializers.IntegerField(
        source="visible_upload", allow_null=True, help_text="Null if the upload was deleted."
    )

    class Meta:
        model = Contact
        fields = ("id", "name", "phone_number", "email_address", "upload", "accepted_at")


class UnprocessedContactSerializer(serializers.ModelSerializer):
    upload = serializers.IntegerField(
        source="visible_upload", allow_null=True, help_text="Null if the upload was deleted."
    )
    busy = serializers.SerializerMethodField(help_text="The keys that are not free yet: `phone`, `email` or both.")

    class Meta:
        model = UnprocessedContact
        fields = (
            "id", "name", "phone_number", "email_address", "upload", "row", "received_at", "due_at", "busy",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(["phone", "email"])))
    def get_busy(self, row: UnprocessedContact) -> list[str]:
        return [key for key, busy in (("phone", row.phone_busy), ("email", row.email_busy)) if busy]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Undone",
            {"removed_contacts": 990, "removed_waiting": 10, "status": "undone"},
            response_only=True,
            status_codes=["200"],
        ),
        OpenApiExample(
            "Continued by a worker",
            {"removed_contacts": 0, "removed_waiting": 0, "status": "undoing"},
            response_only=True,
            status_codes=["202"],
        ),
    ]
)
class UndoSerializer(serializers.Serializer):
    removed_contacts = serializers.IntegerField(help_text="Contacts that this call has removed.")
    removed_waiting = serializers.IntegerField(help_text="Waiting rows that this call has removed.")
    status = serializers.ChoiceField(UploadStatus.choices, help_text="The status of the upload.")


class DeletedSerializer(serializers.Serializer):
    deleted = serializers.IntegerField(help_text="How many of the contacts were yours and have been erased.")


class RejectedRowSerializer(serializers.ModelSerializer):
    class Meta:
        model = RejectedRow
        fields = ("row", "column", "code", "message", "value", "name", "phone_number", "email_address")


_MAPPING = {"name": "First Name", "phone_number": "Mobile Phone", "email_address": "E-mail Address"}
_DRY_RUN = {
    "sheets": [],
    "encoding": "cp1252",
    "columns": ["First Name", "Last Name", "E-mail Address", "Mobile Phone"],
    "mapping": _MAPPING,
    "problems": [
        {
            "attr": "mapping",
            "code": "bad_header",
            "detail": "The header of the file is not valid. Unknown column: 'First Name'. "
            "Allowed: Name, Phone Number, Email Address.",
        }
    ],
    "total_rows": 1,
    "accepted": 1,
    "deferred": 0,
    "rejected": 0,
    "rows": [
        {
            "row": 2,
            "name": "Ana",
            "phone_number": "(+374) 91-12-34-56",
            "email_address": "ana@example.com",
            "outcome": "accepted",
            "code": None,
            "message": None,
            "due_at": None,
        }
    ],
    "reasons": [],
    "rejected_rows": [],
}


class DryRunProblemSerializer(serializers.Serializer):
    attr = serializers.CharField(help_text="The field of the request, such as `mapping`.")
    code = serializers.CharField()
    detail = serializers.CharField()


class DryRunRejectedRowSerializer(serializers.Serializer):
    row = serializers.IntegerField(help_text="Its number in the sheet.")
    column = serializers.CharField(help_text="The column of the first error.")
    code = serializers.CharField()
    message = serializers.CharField(help_text="All errors of the row, for people.")
    value = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    phone_number = serializers.CharField(allow_blank=True)
    email_address = serializers.CharField(allow_blank=True)


class DryRunRowSerializer(serializers.Serializer):
    row = serializers.IntegerField(help_text="Its number in the sheet.")
    name = serializers.CharField(allow_blank=True)
    phone_number = serializers.CharField(allow_blank=True)
    email_address = serializers.CharField(allow_blank=True)
    outcome = serializers.ChoiceField(["accepted", "deferred", "rejected"])
    code = serializers.CharField(allow_null=True, help_text="Why it is rejected.")
    message = serializers.CharField(allow_null=True, help_text="The reason, for people.")
    due_at = serializers.DateTimeField(allow_null=True, help_text="When a deferred row would be stored.")


@extend_schema_serializer(
    component_name="UploadDryRun",
    examples=[OpenApiExample("A dry run", _DRY_RUN, response_only=True, status_codes=["200"])],
)
class DryRunReportSerializer(serializers.Serializer):
    sheets = serializers.ListField(child=serializers.CharField(), help_text="The visible sheets. Empty for CSV.")
    encoding = serializers.SerializerMethodField(help_text="The detected encoding of a CSV file.")
    columns = serializers.ListField(child=serializers.CharField(), help_text="The columns, in the file's order.")
    mapping = serializers.DictField(
        child=serializers.JSONField(),
        help_text="The mapping that was sent, the three exact columns, or a guess of one column per field.",
    )
    problems = DryRunProblemSerializer(
        many=True, help_text="Why an upload without a mapping would be refused, and what the guess leaves out."
    )
    total_rows = serializers.IntegerField(help_text="Rows with any content, without the header.")
    accepted = serializers.IntegerField(help_text="Rows that would be stored at once.")
    deferred = serializers.IntegerField(help_text="Rows that would wait for their window.")
    rejected = serializers.IntegerField(help_text="Invalid rows.")
    rows = DryRunRowSerializer(many=True, help_text="The first 20 rows.")
    reasons = ReasonSerializer(many=True, help_text="Why rows are rejected, most frequent first.")
    rejected_rows = DryRunRejectedRowSerializer(many=True, help_text="The first 200 rejected rows.")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_encoding(self, report: Any) -> str | None:
        return report.encoding or None


def upload_json(upload: FileMetadata) -> dict[str, Any]:
    """Return the upload as the API shows it. ``waiting`` is included only if the query annotated it."""
    return dict(UploadSerializer(upload).data)


def queued_json(upload: FileMetadata) -> dict[str, Any]:
    """Return the upload as it was when it was created, for every answer under its Idempotency-Key."""
    return upload_json(upload) | {
        "status": UploadStatus.QUEUED,
        "processed_rows": 0,
        "accepted": 0,
        "deferred": 0,
        "rejected": 0,
        "removed_contacts": 0,
        "removed_waiting": 0,
        "finished_at": None,
        "error": None,
    }
