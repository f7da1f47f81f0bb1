"""The shapes of answers, for the API's description and for the rows that are listed."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from . import announcements
from .models import Contact, FileMetadata, RejectedRow, UnprocessedContact

UPLOAD = {
    "id": 7,
    "name": "contacts.xlsx",
    "size": 42212,
    "status": "completed",
    "total_rows": 1000,
    "processed_rows": 1000,
    "accepted": 990,
    "deferred": 10,
    "rejected": 0,
    "duplicate_of": None,
    "created_at": "2026-01-02T03:04:05Z",
    "finished_at": "2026-01-02T03:04:06Z",
    "error": None,
    "links": {
        "original": "https://atrium.example.org/api/v1/contacts/uploads/7/original/",
        "errors": "https://atrium.example.org/api/v1/contacts/uploads/7/errors/",
        "errors_xlsx": "https://atrium.example.org/api/v1/contacts/uploads/7/errors.xlsx",
        "contacts": "https://atrium.example.org/api/v1/contacts/?upload=7",
    },
    "waiting": 10,
}
QUEUED = UPLOAD | {
    "status": "queued", "processed_rows": 0, "accepted": 0, "deferred": 0, "finished_at": None,
}  # fmt: skip
del QUEUED["waiting"]


class SheetSerializer(serializers.Serializer):
    file = serializers.FileField(help_text="An .xlsx with the columns Name, Phone Number and Email Address.")


class UploadErrorSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="For programs, such as `unsafe_file`.")
    detail = serializers.CharField(help_text="For people.")


class UploadLinksSerializer(serializers.Serializer):
    original = serializers.URLField()
    errors = serializers.URLField()
    errors_xlsx = serializers.URLField()
    contacts = serializers.URLField()


STATUSES = [value for value in FileMetadata.Status.values if value != FileMetadata.Status.UPLOADING]


@extend_schema_serializer(
    component_name="Upload",
    examples=[
        OpenApiExample("Just uploaded", QUEUED, response_only=True, status_codes=["202"]),
        OpenApiExample("Read", UPLOAD, response_only=True, status_codes=["200"]),
    ],
)
class UploadSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    status = serializers.ChoiceField(STATUSES)
    total_rows = serializers.IntegerField(help_text="Rows that hold anything, the header not counted.")
    processed_rows = serializers.IntegerField(help_text="Rows decided so far; moves while the file is read.")
    accepted = serializers.IntegerField(help_text="Rows stored at once.")
    deferred = serializers.IntegerField(help_text="Rows that had to wait for their window, also those stored since.")
    rejected = serializers.IntegerField(help_text="Rows that cannot be stored; `links.errors` says why.")
    duplicate_of = serializers.IntegerField(allow_null=True, help_text="Your first upload of the same content.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    error = UploadErrorSerializer(allow_null=True)
    links = UploadLinksSerializer()
    waiting = serializers.IntegerField(required=False, help_text="Rows that wait now. In answers to GET only.")

    def to_representation(self, instance: FileMetadata) -> dict[str, Any]:
        return announcements.represent(instance)


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
    upload = serializers.IntegerField(source="upload_id")

    class Meta:
        model = Contact
        fields = ("id", "name", "phone_number", "email_address", "upload", "accepted_at")


class UnprocessedContactSerializer(serializers.ModelSerializer):
    upload = serializers.IntegerField(source="upload_id")
    busy = serializers.SerializerMethodField(help_text="What it waits for: its `phone`, its `email`, or both.")

    class Meta:
        model = UnprocessedContact
        fields = (
            "id", "name", "phone_number", "email_address", "upload", "row", "received_at", "due_at", "busy",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(["phone", "email"])))
    def get_busy(self, row: UnprocessedContact) -> list[str]:
        return [key for key, busy in (("phone", row.phone_busy), ("email", row.email_busy)) if busy]


class RejectedRowSerializer(serializers.ModelSerializer):
    class Meta:
        model = RejectedRow
        fields = ("row", "column", "code", "message", "value")
