"""What clients send, explained kindly; and what they get, for the description of the API.

Answers are not made by these serializers but by Postgres (``representation``); a test holds the two together.
"""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from config.choices import ChoiceField

from . import models
from .models import Label, NoteImport, Role
from .text import COLORS, HEX_COLOR_RE, tidy

MAX_ID = 2**63 - 1
MAX_BULK = 200


class PlainCharField(serializers.CharField):
    """Text kept as it came, spaces at its ends included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, **kwargs})


@extend_schema_field({"type": "string", "pattern": rf"^({'|'.join(COLORS)}|#[0-9a-f]{{6}})$", "example": "yellow"})
class ColorField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        color = super().to_internal_value(data).lower()
        if color not in COLORS and not HEX_COLOR_RE.match(color):
            raise serializers.ValidationError(f"A colour is one of {', '.join(COLORS)}, or such as #ffcc00.", "invalid")
        return color


class InstantField(serializers.DateTimeField):
    """A datetime that says its offset from UTC: without one it could mean any hour of the day."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            given = parse_datetime(value) if isinstance(value, str) else None
            if given is not None and given.tzinfo is None:
                raise serializers.ValidationError("Add the offset from UTC: Z, or such as +02:00.", "offset_required")
            return super().to_internal_value(value)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError("This is not a moment that a calendar knows.", "invalid") from error


class IdListField(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.IntegerField(min_value=1, max_value=MAX_ID), **kwargs)


class ItemSerializer(serializers.Serializer):
    text = PlainCharField(max_length=models.MAX_ITEM_TEXT)
    checked = serializers.BooleanField(default=False)


class ContentSerializer(serializers.Serializer):
    """A note's content; with PUT, what is left out becomes empty."""

    title = PlainCharField(max_length=models.MAX_TITLE, default="")
    body = PlainCharField(max_length=models.MAX_BODY, default="")
    items = serializers.ListField(child=ItemSerializer(), max_length=models.MAX_ITEMS, default=list)
    color = ColorField(default="default")
    label_ids = IdListField(
        required=False,
        max_length=models.MAX_LABELS_A_NOTE,
        help_text="The caller's own labels. In a change they replace those that were there.",
    )


class OwnerSerializer(serializers.Serializer):
    usercode = serializers.CharField()
    username = serializers.CharField()


class CollaboratorSerializer(OwnerSerializer):
    role = ChoiceField([Role.EDITOR, Role.VIEWER])


class NoteLabelSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class NoteSerializer(serializers.Serializer):
    """A note as one person sees it: pinned, archived, labels and remind_at are theirs alone."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    body = serializers.CharField()
    items = ItemSerializer(many=True)
    color = serializers.CharField()
    role = ChoiceField(Role.choices)
    owner = OwnerSerializer()
    collaborators = CollaboratorSerializer(many=True)
    labels = NoteLabelSerializer(many=True)
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    remind_at = serializers.DateTimeField(allow_null=True)
    trashed_at = serializers.DateTimeField(allow_null=True)
    purge_at = serializers.DateTimeField(allow_null=True, help_text="When a trashed note is deleted for good.")
    version = serializers.IntegerField(help_text="Counts the changes of what is everybody's.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class LabelIdsSerializer(serializers.Serializer):
    label_ids = IdListField(allow_empty=False, max_length=models.MAX_LABELS_A_NOTE)


class ReminderSerializer(serializers.Serializer):
    remind_at = InstantField(help_text="With its offset from UTC.")


class ShareSerializer(serializers.Serializer):
    """Whom to share with: an e-mail address or a usercode, one of the two."""

    email = serializers.EmailField(max_length=254, required=False)
    usercode = serializers.CharField(max_length=6, required=False)
    role = ChoiceField([Role.EDITOR, Role.VIEWER], default=Role.VIEWER)

    def validate_usercode(self, value: str) -> str:
        return value.upper()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("email" in attrs) == ("usercode" in attrs):
            raise serializers.ValidationError("Give an email or a usercode, one of the two.", "email_or_usercode")
        return attrs


class RoleSerializer(serializers.Serializer):
    role = ChoiceField([Role.EDITOR, Role.VIEWER])


class LabelSerializer(serializers.ModelSerializer):
    name = serializers.CharField(max_length=models.MAX_LABEL_NAME)
    note_count = serializers.IntegerField(read_only=True, help_text="Notes that bear it, but for the trash.")

    class Meta:
        model = Label
        fields = ("id", "name", "note_count")

    def validate_name(self, value: str) -> str:
        if not tidy(value):
            raise serializers.ValidationError("A label has a name.", "blank")
        return value


class BulkSerializer(serializers.Serializer):
    """Notes, and the one thing to do to all of them, or to none."""

    ACTIONS = ("archive", "unarchive", "pin", "unpin", "trash", "restore", "delete", "add_labels", "remove_labels")

    ids = IdListField(allow_empty=False, max_length=MAX_BULK)
    action = ChoiceField(ACTIONS)
    label_ids = IdListField(
        required=False,
        allow_empty=False,
        max_length=models.MAX_LABELS_A_NOTE,
        help_text="For add_labels and remove_labels.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["action"].endswith("_labels") != ("label_ids" in attrs):
            raise serializers.ValidationError(
                {"label_ids": ["Give label_ids with add_labels and remove_labels, and with nothing else."]}, "label_ids"
            )
        return attrs


class BulkResultSerializer(serializers.Serializer):
    action = serializers.CharField()
    count = serializers.IntegerField()
    results = NoteSerializer(many=True, help_text="The notes as they are now; none after delete.")


@extend_schema_field(OpenApiTypes.BINARY)
class ArchiveField(serializers.FileField):
    pass


class NoteArchiveSerializer(serializers.Serializer):
    file = ArchiveField(allow_empty_file=True, help_text="The zip that takeout.google.com makes of Keep.")


class NoteImportProblemSerializer(serializers.Serializer):
    file = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class NoteImportLinksSerializer(serializers.Serializer):
    self = serializers.URLField()


class NoteImportSerializer(serializers.ModelSerializer):
    """An archive, and how far it is read."""

    problems = NoteImportProblemSerializer(many=True, help_text="The first hundred.")
    error = serializers.SerializerMethodField(help_text="Why it failed; empty otherwise.")
    links = serializers.SerializerMethodField()

    class Meta:
        model = NoteImport
        fields = (
            "id", "name", "size", "status", "total", "processed", "created", "duplicates", "rejected", "ignored",
            "problems", "error", "created_at", "finished_at", "links",
        )  # fmt: skip
        read_only_fields = fields

    def get_error(self, row: NoteImport) -> str:
        # What a single attempt stumbled over is for the log: the next one may do better.
        return row.error if row.failed_at else ""

    @extend_schema_field(NoteImportLinksSerializer)
    def get_links(self, row: NoteImport) -> dict[str, str]:
        return {"self": reverse("note-import-detail", args=[row.pk], request=self.context.get("request"))}


class ExportQuerySerializer(serializers.Serializer):
    format = ChoiceField(["json", "markdown"], default="json")
