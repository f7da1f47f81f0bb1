"""Serializers: validate requests and describe responses in OpenAPI.

The JSON of a note is built by Postgres (``representation``); ``NoteSerializer`` only describes it, and a test compares
the two.
"""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from config.api.choices import ChoiceField
from config.api.instants import InstantField
from config.api.text import LongCharField
from config.api.validation import validated
from config.text import is_blank

from . import models
from .colors import COLORS, is_color
from .models import Label, NoteImport, Role

MAX_ID = 2**63 - 1
MAX_BULK = 200


class PlainCharField(LongCharField):
    """Text that is stored unchanged, including spaces at its ends."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, **kwargs})


@extend_schema_field({"type": "string", "pattern": rf"^({'|'.join(COLORS)}|#[0-9a-f]{{6}})$", "example": "yellow"})
class ColorField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        color = super().to_internal_value(data).lower()
        if not is_color(color):
            raise serializers.ValidationError(f"Use one of {', '.join(COLORS)}, or a value like #ffcc00.", "invalid")
        return color


class IdListField(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.IntegerField(min_value=1, max_value=MAX_ID), **kwargs)


class CompleteSerializer(serializers.Serializer):
    """A nested serializer whose fields are required in PATCH too.

    REST framework asks the outermost serializer whether it is partial. Here each object is validated by its own.
    """

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if self.parent is None:
            return super().run_validation(data)
        return validated(type(self), data)


class NoteItemSerializer(CompleteSerializer):
    text = PlainCharField(max_length=models.MAX_ITEM_TEXT)
    checked = serializers.BooleanField(default=False)


class NoteContentSerializer(serializers.Serializer):
    """The content of a note."""

    title = PlainCharField(max_length=models.MAX_TITLE, default="")
    body = PlainCharField(max_length=models.MAX_BODY, default="")
    items = serializers.ListField(child=NoteItemSerializer(), max_length=models.MAX_ITEMS, default=list)
    color = ColorField(default="default")
    label_ids = IdListField(
        required=False,
        max_length=models.MAX_LABELS_PER_NOTE,
        help_text="Ids of your labels. In a change they replace the labels that the note has.",
    )


class NoteOwnerSerializer(serializers.Serializer):
    usercode = serializers.CharField()
    username = serializers.CharField()


class CollaboratorSerializer(NoteOwnerSerializer):
    role = ChoiceField([Role.EDITOR, Role.VIEWER])


class NoteLabelSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class NoteSerializer(serializers.Serializer):
    """A note as one member sees it: pinned, archived, labels and remind_at are private."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    body = serializers.CharField()
    items = NoteItemSerializer(many=True)
    color = serializers.CharField()
    role = ChoiceField(Role.choices)
    owner = NoteOwnerSerializer()
    collaborators = CollaboratorSerializer(many=True)
    labels = NoteLabelSerializer(many=True)
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    remind_at = serializers.DateTimeField(allow_null=True)
    trashed_at = serializers.DateTimeField(allow_null=True)
    purge_at = serializers.DateTimeField(allow_null=True, help_text="When the trashed note is deleted permanently.")
    version = serializers.IntegerField(help_text="Counts the changes of the shared content.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class LabelIdsSerializer(serializers.Serializer):
    label_ids = IdListField(allow_empty=False, max_length=models.MAX_LABELS_PER_NOTE)


class ReminderSerializer(serializers.Serializer):
    remind_at = InstantField(help_text="With an offset from UTC.")


class EmptyTrashQuerySerializer(serializers.Serializer):
    trashed_until = InstantField(
        required=False,
        default=None,
        help_text="Only notes whose `trashed_at` is this instant or earlier. With the latest one that somebody saw, no "
        "note is deleted that was moved to the trash since.",
    )


class ShareNoteSerializer(serializers.Serializer):
    """The user to share with: either an e-mail address or a usercode."""

    email = serializers.EmailField(max_length=254, required=False)
    usercode = serializers.CharField(max_length=6, required=False)
    role = ChoiceField([Role.EDITOR, Role.VIEWER], default=Role.VIEWER)

    def validate_usercode(self, value: str) -> str:
        return value.upper()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("email" in attrs) == ("usercode" in attrs):
            raise serializers.ValidationError("Send either email or usercode.", "email_or_usercode")
        return attrs


class ChangeRoleSerializer(serializers.Serializer):
    role = ChoiceField([Role.EDITOR, Role.VIEWER])


class LabelSerializer(serializers.ModelSerializer):
    name = serializers.CharField(max_length=models.MAX_LABEL_NAME)
    note_count = serializers.IntegerField(
        read_only=True, help_text="Notes with this label; trashed notes do not count."
    )

    class Meta:
        model = Label
        fields = ("id", "name", "note_count")

    def validate_name(self, value: str) -> str:
        if is_blank(value):
            raise serializers.ValidationError("Enter a name.", "blank")
        return value


class BulkChangeSerializer(serializers.Serializer):
    """Notes and the action to apply to them."""

    ACTIONS = ("archive", "unarchive", "pin", "unpin", "trash", "restore", "delete", "add_labels", "remove_labels")

    ids = IdListField(allow_empty=False, max_length=MAX_BULK)
    action = ChoiceField(ACTIONS)
    label_ids = IdListField(
        required=False,
        allow_empty=False,
        max_length=models.MAX_LABELS_PER_NOTE,
        help_text="Required for add_labels and remove_labels.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["action"].endswith("_labels") != ("label_ids" in attrs):
            raise serializers.ValidationError(
                {"label_ids": ["Send label_ids with add_labels and remove_labels only."]}, "invalid"
            )
        return attrs


class BulkResultSerializer(serializers.Serializer):
    action = serializers.CharField()
    count = serializers.IntegerField()
    results = NoteSerializer(many=True, help_text="The changed notes; empty after delete.")


@extend_schema_field(OpenApiTypes.BINARY)
class ArchiveField(serializers.FileField):
    pass


class NoteArchiveSerializer(serializers.Serializer):
    file = ArchiveField(allow_empty_file=True, help_text="The zip file that takeout.google.com exports for Keep.")


class NoteImportProblemSerializer(serializers.Serializer):
    file = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class NoteImportLinksSerializer(serializers.Serializer):
    self = serializers.URLField()


class NoteImportSerializer(serializers.ModelSerializer):
    """The progress and result of an import."""

    problems = NoteImportProblemSerializer(many=True, help_text="The first 100 problems.")
    error = serializers.SerializerMethodField(help_text="Why the import failed; empty otherwise.")
    finished_at = serializers.DateTimeField(allow_null=True, read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = NoteImport
        fields = (
            "id", "name", "size", "status", "total", "processed", "created", "updated", "duplicates", "rejected",
            "ignored", "problems", "error", "created_at", "finished_at", "links",
        )  # fmt: skip
        read_only_fields = fields

    def get_error(self, row: NoteImport) -> str:
        # The error of an attempt that is retried is for the log only.
        return row.error if row.failed_at else ""

    @extend_schema_field(NoteImportLinksSerializer)
    def get_links(self, row: NoteImport) -> dict[str, str]:
        return {"self": reverse("note-import-detail", args=[row.pk], request=self.context.get("request"))}


class ExportQuerySerializer(serializers.Serializer):
    format = ChoiceField(
        ["json", "markdown"], default="json", help_text="`json` is Google Keep's format; `markdown` is for reading."
    )
