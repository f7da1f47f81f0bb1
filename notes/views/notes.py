"""Notes over HTTP: validate the request, call one service, return the note."""

from typing import Any

import orjson
from django.http import Http404, HttpResponse
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.idempotency import json_answer, run_once
from config.api.pagination import FeedPagination
from config.api.validation import validated

from .. import openapi
from ..etag import if_match_versions, note_etag
from ..filters import NoteFilter, StatefulNoteFilter
from ..models import Membership, Role
from ..pagination import NotePagination
from ..representation import bulk_envelope
from ..serializers import (
    BulkChangeSerializer,
    ChangeRoleSerializer,
    CollaboratorSerializer,
    EmptyTrashQuerySerializer,
    LabelIdsSerializer,
    NoteContentSerializer,
    NoteSerializer,
    ReminderSerializer,
    ShareNoteSerializer,
)
from ..services import bulk, labels, memberships, notes, reminders, sharing, trash
from .base import NotesViewSet


@openapi.notes
class NoteViewSet(NotesViewSet):
    queryset = Membership.objects.all()
    serializer_class = NoteSerializer
    pagination_class = NotePagination
    filterset_class = StatefulNoteFilter
    own_calls = {
        "pinned": "POST /api/v1/notes/{id}/pin/ or unpin/",
        "archived": "POST /api/v1/notes/{id}/archive/ or unarchive/",
        "labels": "`label_ids`, or POST /api/v1/notes/{id}/labels/",
        "remind_at": "PUT or DELETE /api/v1/notes/{id}/reminder/",
        "collaborators": "POST /api/v1/notes/{id}/collaborators/",
        "trashed_at": "POST /api/v1/notes/{id}/trash/ or restore/",
    }

    def check_visible(self) -> None:
        if "pk" in self.kwargs:
            self.note_or_404(self.kwargs["pk"])

    def stored_object(self) -> dict[str, Any]:
        return orjson.loads(self.note_or_404(self.kwargs["pk"]))

    def note_or_404(self, pk: int) -> bytes:
        """Return the note's JSON as the caller sees it."""
        row = self.get_queryset().filter(note_id=pk).as_json().first()
        if row is None:
            raise Http404
        return row[0].encode()

    def note_response(self, pk: int) -> HttpResponse:
        """Return the note after a write."""
        return note_answer(self.note_or_404(pk))

    def note_args(self, pk: int) -> dict[str, Any]:
        """Return the arguments of a service that writes one note."""
        return {"by": self.request.user, "note_id": pk, "versions": if_match_versions(self.request)}

    def notes_args(self, pk: int) -> dict[str, Any]:
        """Return the arguments of a service that writes several notes."""
        return {"by": self.request.user, "note_ids": [pk], "versions": if_match_versions(self.request)}

    # --- Lists

    def list(self, request: Request) -> HttpResponse:
        return self.cached(lambda: self.page_of_notes(self.get_queryset(), state="active"))

    @action(detail=False, filterset_class=NoteFilter)
    def archived(self, request: Request) -> HttpResponse:
        return self.cached(lambda: self.page_of_notes(self.get_queryset().in_state("archived"), state="archived"))

    @action(detail=False, filterset_class=NoteFilter)
    def trashed(self, request: Request) -> HttpResponse:
        return self.cached(lambda: self.page_of_notes(self.get_queryset().in_state("trashed"), state="trashed"))

    @openapi.empty_trash
    @trashed.mapping.delete
    def empty_trash(self, request: Request) -> Response:
        # As a dict: in a QueryDict an empty value would count as none, and everything would be deleted.
        query = validated(EmptyTrashQuerySerializer, request.query_params.dict())
        trash.empty_trash(owner=request.user, **query)
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- One note

    def create(self, request: Request) -> HttpResponse:
        content = self.validated_data(NoteContentSerializer)

        def create() -> HttpResponse:
            note = notes.create_note(owner=request.user, **content)
            return note_answer(note.json.encode(), status.HTTP_201_CREATED)

        return run_once(request, content, create, answer=note_answer)

    def retrieve(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: self.note_or_404(pk), etag=note_etag)

    def update(self, request: Request, pk: int) -> HttpResponse:
        return self.change(pk, partial=False)

    def partial_update(self, request: Request, pk: int) -> HttpResponse:
        return self.change(pk, partial=True)

    def change(self, pk: int, *, partial: bool) -> HttpResponse:
        self.note_or_404(pk)  # before validation: a stranger gets 404, not the errors
        notes.edit_note(**self.note_args(pk), **self.validated_data(NoteContentSerializer, partial=partial))
        return self.note_response(pk)

    def destroy(self, request: Request, pk: int) -> Response:
        notes.delete_notes(**self.notes_args(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- The caller's own view

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: int) -> HttpResponse:
        memberships.update_memberships(**self.notes_args(pk), archived=True)
        return self.note_response(pk)

    @action(detail=True, methods=["post"])
    def unarchive(self, request: Request, pk: int) -> HttpResponse:
        memberships.update_memberships(**self.notes_args(pk), archived=False)
        return self.note_response(pk)

    @action(detail=True, methods=["post"])
    def pin(self, request: Request, pk: int) -> HttpResponse:
        memberships.update_memberships(**self.notes_args(pk), pinned=True)
        return self.note_response(pk)

    @action(detail=True, methods=["post"])
    def unpin(self, request: Request, pk: int) -> HttpResponse:
        memberships.update_memberships(**self.notes_args(pk), pinned=False)
        return self.note_response(pk)

    @action(detail=True, methods=["post"], url_path="labels")
    def add_labels(self, request: Request, pk: int) -> HttpResponse:
        self.note_or_404(pk)
        labels.add_labels(**self.notes_args(pk), **self.validated_data(LabelIdsSerializer))
        return self.note_response(pk)

    @action(detail=True, methods=["delete"], url_path="labels/<int:label_id>")
    def remove_label(self, request: Request, pk: int, label_id: int) -> Response:
        if not labels.remove_labels(**self.notes_args(pk), label_ids=[label_id]):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["put"])
    def reminder(self, request: Request, pk: int) -> HttpResponse:
        self.note_or_404(pk)
        reminders.set_reminder(**self.note_args(pk), **self.validated_data(ReminderSerializer))
        return self.note_response(pk)

    @openapi.clear_reminder
    @reminder.mapping.delete
    def clear_reminder(self, request: Request, pk: int) -> Response:
        reminders.clear_reminder(**self.note_args(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- Trash

    @action(detail=True, methods=["post"])
    def trash(self, request: Request, pk: int) -> HttpResponse:
        trash.trash_notes(**self.notes_args(pk))
        return self.note_response(pk)

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: int) -> HttpResponse:
        trash.restore_notes(**self.notes_args(pk))
        return self.note_response(pk)

    # --- Several notes

    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        data = self.validated_data(BulkChangeSerializer)
        bulk.act_on_notes(by=request.user, **data)
        rows = self.get_queryset().filter(note_id__in=data["ids"]).order_by("note_id").as_json()
        body = bulk_envelope(data["action"], len(set(data["ids"])), [row[0] for row in rows])
        return HttpResponse(body, content_type="application/json")

    # --- Collaborators

    @action(detail=True, pagination_class=FeedPagination, filterset_class=None)
    def collaborators(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: self.page_of_collaborators(pk))

    def page_of_collaborators(self, pk: int) -> object:
        self.note_or_404(pk)
        collaborators = Membership.objects.filter(note_id=pk).exclude(role=Role.OWNER).select_related("user")
        page = self.paginate_queryset(collaborators)
        return self.get_paginated_response([collaborator_data(membership) for membership in page]).data

    @openapi.share
    @collaborators.mapping.post
    def share(self, request: Request, pk: int) -> Response | HttpResponse:
        self.note_or_404(pk)
        content = self.validated_data(ShareNoteSerializer)

        def share() -> Response:
            membership = sharing.share_note(**self.note_args(pk), **content)
            return Response(collaborator_data(membership), status=status.HTTP_201_CREATED)

        return run_once(request, content, share)

    @action(detail=True, methods=["patch"], url_path="collaborators/<str:usercode>")
    def collaborator(self, request: Request, pk: int, usercode: str) -> Response:
        self.note_or_404(pk)
        membership = sharing.change_role(
            **self.note_args(pk), usercode=usercode, **self.validated_data(ChangeRoleSerializer)
        )
        return Response(collaborator_data(membership))

    @openapi.remove_collaborator
    @collaborator.mapping.delete
    def remove_collaborator(self, request: Request, pk: int, usercode: str) -> Response:
        sharing.remove_collaborator(**self.note_args(pk), usercode=usercode)
        return Response(status=status.HTTP_204_NO_CONTENT)


def note_answer(body: bytes, code: int = status.HTTP_200_OK) -> HttpResponse:
    """Return a note's JSON with its ETag."""
    response = json_answer(body, code)
    response["ETag"] = note_etag(body)
    return response


def collaborator_data(membership: Membership) -> dict[str, Any]:
    user = membership.user
    return CollaboratorSerializer({"usercode": user.usercode, "username": user.username, "role": membership.role}).data
