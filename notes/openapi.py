"""The OpenAPI description of notes: summaries, responses and examples."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view

from config.api.openapi import CREATED_ETAG, IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, NOT_MODIFIED, errors

from . import serializers

CURSOR = OpenApiParameter("cursor", str, description="Part of the `next` and `previous` links of a page.")
NO_CONTENT = OpenApiResponse(description="Done.")

USER = {"usercode": "K7QX2M", "username": "ada"}
EXAMPLE_NOTE = {
    "id": 41,
    "title": "Groceries",
    "body": "For the weekend",
    "items": [{"text": "Oranges", "checked": False}, {"text": "Bread", "checked": True}],
    "color": "yellow",
    "role": "owner",
    "owner": USER,
    "collaborators": [{"usercode": "9TB4ZC", "username": "grace", "role": "editor"}],
    "labels": [{"id": 7, "name": "Home"}],
    "pinned": True,
    "archived": False,
    "remind_at": "2030-05-04T07:30:00.000000Z",
    "trashed_at": None,
    "purge_at": None,
    "version": 3,
    "created_at": "2026-11-20T18:02:11.412345Z",
    "updated_at": "2026-11-21T08:15:42.000210Z",
}
EXAMPLE_IMPORT = {
    "id": 5,
    "name": "takeout.zip",
    "size": 48213,
    "status": "completed",
    "total": 120,
    "processed": 120,
    "created": 118,
    "updated": 0,
    "duplicates": 2,
    "rejected": 0,
    "ignored": 121,
    "problems": [],
    "error": "",
    "created_at": "2026-11-21T08:15:42.000210Z",
    "finished_at": "2026-11-21T08:15:44.120000Z",
    "links": {"self": "https://atrium.example.org/api/v1/notes/imports/5/"},
}


def request_example(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def response_examples(name: str, value: Any, *codes: int) -> list[OpenApiExample]:
    return [OpenApiExample(name, value, response_only=True, status_codes=[str(code)]) for code in codes or (200,)]


def note_list(summary: str, description: str = "") -> Any:
    return extend_schema(
        summary=summary,
        description=description,
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.NoteSerializer(many=True), 304: NOT_MODIFIED},
        examples=response_examples("A page of notes", EXAMPLE_NOTE),
    )


def note_write(
    summary: str, request: Any = None, *codes: int, examples: Any = (), status: int = 200, **more: Any
) -> Any:
    """Describe a write that returns the note."""
    return extend_schema(
        summary=summary,
        request=request,
        parameters=[IF_MATCH],
        responses={status: serializers.NoteSerializer, **errors(412, *codes)},
        examples=[*examples, *response_examples("The note as it is now", EXAMPLE_NOTE, status)],
        **more,
    )


def deletion(summary: str, *codes: int, **more: Any) -> Any:
    return extend_schema(
        summary=summary, request=None, parameters=[IF_MATCH], responses={204: NO_CONTENT, **errors(412, *codes)}, **more
    )


CONTENT = request_example(
    "A checklist",
    {
        "title": "Groceries",
        "body": "For the weekend",
        "items": [{"text": "Oranges", "checked": False}],
        "color": "yellow",
    },
)
COLLABORATOR = {"usercode": "9TB4ZC", "username": "grace", "role": "editor"}

notes = extend_schema_view(
    list=note_list(
        "List notes",
        "List your notes and those shared with you, by default without archived and trashed notes.",
    ),
    archived=note_list("List archived notes", "List the notes that you have archived."),
    trashed=note_list("List trashed notes", "List the trashed notes that you own or that are shared with you."),
    create=extend_schema(
        summary="Create a note",
        description="Create a note that you own.",
        request=serializers.NoteContentSerializer,
        parameters=[IDEMPOTENCY_KEY, CREATED_ETAG],
        responses={201: serializers.NoteSerializer, **errors(409)},
        examples=[CONTENT, *response_examples("The new note", EXAMPLE_NOTE, 201)],
    ),
    retrieve=extend_schema(
        summary="Get a note",
        description="`ETag` consists of the version and a digest of the response. Use it as `If-Match`.",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.NoteSerializer, 304: NOT_MODIFIED},
        examples=response_examples("A note", EXAMPLE_NOTE),
    ),
    update=note_write(
        "Replace a note",
        serializers.NoteContentSerializer,
        403,
        409,
        examples=[CONTENT],
        description="Replace title, body, items and color. Fields that you leave out become empty.",
    ),
    partial_update=note_write(
        "Change a note",
        serializers.NoteContentSerializer(partial=True),
        403,
        409,
        examples=[request_example("A title", {"title": "Shopping"})],
        description="Change only the fields that you send.",
    ),
    destroy=deletion("Delete a note", 403, description="Delete the note permanently for all members. Owner only."),
    archive=note_write("Archive a note", description="Archive the note for yourself; other members are not affected."),
    unarchive=note_write("Unarchive a note", description="Move the note out of your archive."),
    pin=note_write("Pin a note", description="Pin the note for yourself; other members are not affected."),
    unpin=note_write("Unpin a note", description="Unpin the note for yourself."),
    trash=note_write(
        "Move a note to the trash",
        None,
        403,
        409,
        description="Move the note to the trash for all members. Owner only. It is deleted permanently after 7 days.",
    ),
    restore=note_write(
        "Restore a note", None, 403, 409, description="Move the note out of the trash for all members. Owner only."
    ),
    add_labels=note_write(
        "Add labels to a note",
        serializers.LabelIdsSerializer,
        examples=[request_example("One label", {"label_ids": [7]})],
        description="Add your own labels to the note. Other members do not see them.",
    ),
    remove_label=deletion("Remove a label from a note", description="Remove one of your labels from the note."),
    reminder=note_write(
        "Set a reminder",
        serializers.ReminderSerializer,
        examples=[request_example("In the time zone of Rome", {"remind_at": "2030-05-04T09:30:00+02:00"})],
        description="Set or replace your reminder. You get an e-mail within a minute of `remind_at`. While the note is "
        "in the trash, the reminder waits.",
    ),
    bulk=extend_schema(
        summary="Change several notes",
        description="Apply one action to all notes. If it fails for one of them, no note is changed.",
        request=serializers.BulkChangeSerializer,
        responses={200: serializers.BulkResultSerializer, **errors(403, 404, 409)},
        examples=[
            request_example("Archive two notes", {"ids": [41, 42], "action": "archive"}),
            *response_examples("Both notes", {"action": "archive", "count": 1, "results": [EXAMPLE_NOTE]}),
        ],
    ),
    collaborators=extend_schema(
        summary="List a note's collaborators",
        description="List the users that the note is shared with.",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.CollaboratorSerializer(many=True), 304: NOT_MODIFIED},
        examples=response_examples("A page of collaborators", COLLABORATOR),
    ),
    collaborator=extend_schema(
        summary="Change a collaborator's role",
        description="Make a collaborator an editor or a viewer. Owner only.",
        request=serializers.ChangeRoleSerializer,
        parameters=[IF_MATCH],
        responses={200: serializers.CollaboratorSerializer, **errors(403, 412)},
        examples=[
            request_example("Make a viewer", {"role": "viewer"}),
            *response_examples("The collaborator", COLLABORATOR),
        ],
    ),
)

# extend_schema_view does not reach methods that share a path with another: these are decorated one by one.
empty_trash = extend_schema(
    summary="Empty the trash",
    description="Permanently delete all trashed notes that you own.",
    parameters=[serializers.EmptyTrashQuerySerializer],
    responses={204: NO_CONTENT, **errors(400)},
)
clear_reminder = deletion("Delete a reminder", description="Delete your reminder of the note.")
share = extend_schema(
    summary="Share a note",
    description="Share the note with a user, by e-mail address or usercode. Owner only.",
    request=serializers.ShareNoteSerializer,
    parameters=[IDEMPOTENCY_KEY, IF_MATCH],
    responses={201: serializers.CollaboratorSerializer, **errors(403, 409, 412)},
    examples=[
        request_example("By usercode", {"usercode": "9TB4ZC", "role": "editor"}),
        request_example("By e-mail address", {"email": "grace@example.org", "role": "viewer"}),
        *response_examples("The new collaborator", COLLABORATOR, 201),
    ],
)
remove_collaborator = deletion(
    "Remove a collaborator or leave",
    403,
    409,
    description="The owner removes a collaborator. With your own usercode you leave the note.",
)

EXAMPLE_LABEL = {"id": 7, "name": "Home", "note_count": 12}
NAME = request_example("A name", {"name": "Home"})

labels = extend_schema_view(
    list=extend_schema(
        summary="List labels",
        description="List your labels by name.",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.LabelSerializer(many=True), 304: NOT_MODIFIED},
        examples=response_examples("A page of labels", EXAMPLE_LABEL),
    ),
    create=extend_schema(
        summary="Create a label",
        description="Create a label. Names are unique without regard to case.",
        parameters=[IDEMPOTENCY_KEY],
        responses={201: serializers.LabelSerializer, **errors(409)},
        examples=[NAME, *response_examples("The new label", EXAMPLE_LABEL, 201)],
    ),
    retrieve=extend_schema(
        summary="Get a label",
        description="Get one of your labels.",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.LabelSerializer, 304: NOT_MODIFIED},
        examples=response_examples("A label", EXAMPLE_LABEL),
    ),
    update=extend_schema(
        summary="Replace a label",
        description="Rename the label.",
        responses={200: serializers.LabelSerializer, **errors(409)},
        examples=[NAME, *response_examples("The label", EXAMPLE_LABEL)],
    ),
    partial_update=extend_schema(
        summary="Rename a label",
        description="Rename the label.",
        responses={200: serializers.LabelSerializer, **errors(409)},
        examples=[NAME, *response_examples("The label", EXAMPLE_LABEL)],
    ),
    destroy=extend_schema(
        summary="Delete a label",
        description="Delete the label. Its notes stay.",
        request=None,
        responses={204: NO_CONTENT},
    ),
)

label_notes = extend_schema_view(
    list=note_list(
        "List a label's notes",
        "List the notes with this label, by default without trashed notes.",
    )
)

imports = extend_schema_view(
    list=extend_schema(
        summary="List imports of notes",
        description="List your imports, newest first.",
        responses={200: serializers.NoteImportSerializer(many=True)},
        examples=response_examples("A page of imports", EXAMPLE_IMPORT),
    ),
    retrieve=extend_schema(
        summary="Get an import of notes",
        description="Get the progress and the result of an import.",
        examples=response_examples("An import", EXAMPLE_IMPORT),
    ),
)

new_import = extend_schema_view(
    post=extend_schema(
        summary="Import notes from Google Keep",
        description="Upload the zip file that takeout.google.com exports for Keep. The import runs in the background. "
        "Notes that already exist are not imported again.",
        request={"multipart/form-data": serializers.NoteArchiveSerializer},
        parameters=[IDEMPOTENCY_KEY],
        responses={202: serializers.NoteImportSerializer, **errors(413, 415, 422)},
        examples=response_examples("A new import", {**EXAMPLE_IMPORT, "status": "queued", "finished_at": None}, 202),
    ),
)

exports = extend_schema_view(
    get=extend_schema(
        summary="Export notes",
        description="Download a zip with one file for each of your notes, in Google Keep's JSON, which can be imported "
        "again, or in Markdown.",
        parameters=[serializers.ExportQuerySerializer],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **errors(400)},
    )
)
