"""What the API's description says of notes: summaries, answers and examples that can be sent as they stand."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view

from config.openapi import IDEMPOTENCY_KEY, IF_MATCH, errors

from . import serializers as shapes

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The `ETag` that is at hand; 304 if it is still good."
)
CURSOR = OpenApiParameter("cursor", str, description="From the `next` or `previous` of a page.")
GONE = OpenApiResponse(description="Done; there is nothing to show.")
NOT_MODIFIED = OpenApiResponse(description="What the client has is still good.")

PERSON = {"usercode": "K7QX2M", "username": "ada"}
EXAMPLE_NOTE = {
    "id": 41,
    "title": "Groceries",
    "body": "For the weekend",
    "items": [{"text": "Oranges", "checked": False}, {"text": "Bread", "checked": True}],
    "color": "yellow",
    "role": "owner",
    "owner": PERSON,
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
    "duplicates": 2,
    "rejected": 0,
    "ignored": 121,
    "problems": [],
    "error": "",
    "created_at": "2026-11-21T08:15:42.000210Z",
    "finished_at": "2026-11-21T08:15:44.120000Z",
    "links": {"self": "https://atrium.example.org/api/v1/notes/imports/5/"},
}


def sent(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def got(name: str, value: Any, *codes: int) -> list[OpenApiExample]:
    return [OpenApiExample(name, value, response_only=True, status_codes=[str(code)]) for code in codes or (200,)]


def listing(summary: str, description: str = "") -> Any:
    return extend_schema(
        summary=summary,
        description=description,
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.NoteSerializer(many=True), 304: NOT_MODIFIED},
        examples=got("A page of notes", EXAMPLE_NOTE),
    )


def note_write(
    summary: str, request: Any = None, *codes: int, examples: Any = (), status: int = 200, **more: Any
) -> Any:
    """A write that answers with the note."""
    return extend_schema(
        summary=summary,
        request=request,
        parameters=[IF_MATCH],
        responses={status: shapes.NoteSerializer, **errors(412, *codes)},
        examples=[*examples, *got("The note as it is now", EXAMPLE_NOTE, status)],
        **more,
    )


def removal(summary: str, *codes: int, **more: Any) -> Any:
    return extend_schema(
        summary=summary, request=None, parameters=[IF_MATCH], responses={204: GONE, **errors(412, *codes)}, **more
    )


CONTENT = sent(
    "A checklist",
    {
        "title": "Groceries",
        "body": "For the weekend",
        "items": [{"text": "Oranges", "checked": False}],
        "color": "yellow",
    },
)
PEOPLE = {"usercode": "9TB4ZC", "username": "grace", "role": "editor"}

notes = extend_schema_view(
    list=listing("List notes", "Those neither archived nor trashed, unless `state` says otherwise."),
    archived=listing("List archived notes"),
    trashed=listing("List trashed notes", "Those of others that the caller sees are among them."),
    create=extend_schema(
        summary="Write a note",
        request=shapes.ContentSerializer,
        responses={201: shapes.NoteSerializer},
        examples=[CONTENT, *got("The new note", EXAMPLE_NOTE, 201)],
    ),
    retrieve=extend_schema(
        summary="Read a note",
        description="`ETag` is the version and a digest of what the caller sees.",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.NoteSerializer, 304: NOT_MODIFIED},
        examples=got("A note", EXAMPLE_NOTE),
    ),
    update=note_write("Replace a note", shapes.ContentSerializer, 403, 409, examples=[CONTENT]),
    partial_update=note_write(
        "Change a note",
        shapes.ContentSerializer(partial=True),
        403,
        409,
        examples=[sent("A title", {"title": "Shopping"})],
    ),
    destroy=removal("Delete a note for good", 403),
    archive=note_write("Archive a note", description="For the caller alone."),
    unarchive=note_write("Take a note out of the archive"),
    pin=note_write("Pin a note", description="For the caller alone."),
    unpin=note_write("Unpin a note"),
    trash=note_write("Put a note in the trash", None, 403, 409, description="For everybody who sees it."),
    restore=note_write("Take a note back from the trash", None, 403, 409),
    add_labels=note_write(
        "Put labels on a note",
        shapes.LabelIdsSerializer,
        examples=[sent("One label", {"label_ids": [7]})],
        description="The caller's own labels, on the caller's own view of the note.",
    ),
    remove_label=removal("Take a label off a note"),
    reminder=note_write(
        "Set a reminder",
        shapes.ReminderSerializer,
        examples=[sent("A morning in Rome", {"remind_at": "2030-05-04T09:30:00+02:00"})],
        description="A mail to the caller, within a minute of that moment; it waits while the note is in the trash.",
    ),
    bulk=extend_schema(
        summary="Do one thing to several notes",
        description="To all of them or, where one cannot be, to none.",
        request=shapes.BulkSerializer,
        responses={200: shapes.BulkResultSerializer, **errors(403, 404, 409)},
        examples=[
            sent("Archive two notes", {"ids": [41, 42], "action": "archive"}),
            *got("Both notes", {"action": "archive", "count": 1, "results": [EXAMPLE_NOTE]}),
        ],
    ),
    collaborators=extend_schema(
        summary="List a note's collaborators",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.CollaboratorSerializer(many=True), 304: NOT_MODIFIED},
        examples=got("A page of collaborators", PEOPLE),
    ),
    collaborator=extend_schema(
        summary="Change a collaborator's role",
        request=shapes.RoleSerializer,
        parameters=[IF_MATCH],
        responses={200: shapes.CollaboratorSerializer, **errors(403, 412)},
        examples=[sent("To a viewer", {"role": "viewer"}), *got("The collaborator", PEOPLE)],
    ),
)

# drf-spectacular's view decorator passes by methods that share an address with another: these stand at theirs.
empty_trash = extend_schema(
    summary="Empty the trash", description="Deletes for good what the caller owns there.", responses={204: GONE}
)
clear_reminder = removal("Remove a reminder")
share = extend_schema(
    summary="Share a note",
    description="By e-mail address or usercode, as `editor` or `viewer`; the owner alone may.",
    request=shapes.ShareSerializer,
    parameters=[IF_MATCH],
    responses={201: shapes.CollaboratorSerializer, **errors(403, 409, 412)},
    examples=[
        sent("By usercode", {"usercode": "9TB4ZC", "role": "editor"}),
        sent("By e-mail address", {"email": "grace@example.org", "role": "viewer"}),
        *got("The new collaborator", PEOPLE, 201),
    ],
)
remove_collaborator = removal(
    "Remove a collaborator, or leave", 403, 409, description="With one's own usercode one leaves the note."
)

EXAMPLE_LABEL = {"id": 7, "name": "Home", "note_count": 12}
NAME = sent("A name", {"name": "Home"})

labels = extend_schema_view(
    list=extend_schema(
        summary="List labels",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.LabelSerializer(many=True), 304: NOT_MODIFIED},
        examples=got("A page of labels", EXAMPLE_LABEL),
    ),
    create=extend_schema(
        summary="Make a label",
        responses={201: shapes.LabelSerializer, **errors(409)},
        examples=[NAME, *got("The new label", EXAMPLE_LABEL, 201)],
    ),
    retrieve=extend_schema(
        summary="Read a label",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.LabelSerializer, 304: NOT_MODIFIED},
        examples=got("A label", EXAMPLE_LABEL),
    ),
    update=extend_schema(
        summary="Rename a label",
        responses={200: shapes.LabelSerializer, **errors(409)},
        examples=[NAME, *got("The label", EXAMPLE_LABEL)],
    ),
    partial_update=extend_schema(
        summary="Change a label",
        responses={200: shapes.LabelSerializer, **errors(409)},
        examples=[NAME, *got("The label", EXAMPLE_LABEL)],
    ),
    destroy=extend_schema(
        summary="Delete a label", description="The notes that bear it stay.", request=None, responses={204: GONE}
    ),
)

label_notes = extend_schema_view(
    list=listing("List a label's notes", "Archived ones too, unless `state` says otherwise; trashed ones not.")
)

imports = extend_schema_view(
    list=extend_schema(
        summary="List imports of notes",
        responses={200: shapes.NoteImportSerializer(many=True)},
        examples=got("A page of imports", EXAMPLE_IMPORT),
    ),
    retrieve=extend_schema(summary="Watch an import of notes", examples=got("An import", EXAMPLE_IMPORT)),
)

new_import = extend_schema_view(
    post=extend_schema(
        summary="Import notes from Google Keep",
        description="The zip that takeout.google.com makes, read by a worker; nothing is imported twice.",
        request={"multipart/form-data": shapes.NoteArchiveSerializer},
        parameters=[IDEMPOTENCY_KEY],
        responses={202: shapes.NoteImportSerializer, **errors(413, 415, 422)},
        examples=got("A new import", {**EXAMPLE_IMPORT, "status": "queued", "finished_at": None}, 202),
    ),
)

exports = extend_schema_view(
    get=extend_schema(
        summary="Export one's own notes",
        description="A zip with a file a note: Google Keep's JSON, which can be imported again, or Markdown.",
        parameters=[shapes.ExportQuerySerializer],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **errors(400)},
    )
)
