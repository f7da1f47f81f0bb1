"""Notes and labels over HTTP: what is asked, one call of a service, and the note as it then is."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from config.caching import cached_response
from config.pagination import FeedPagination

from . import docs, versions
from .filters import LabelNoteFilter, NoteFilter, StatefulNoteFilter
from .models import Label, Membership, Role
from .pagination import NotePagination
from .representation import bulk_envelope
from .serializers import (
    MAX_ID,
    BulkSerializer,
    CollaboratorSerializer,
    ContentSerializer,
    LabelIdsSerializer,
    LabelSerializer,
    NoteSerializer,
    ReminderSerializer,
    RoleSerializer,
    ShareSerializer,
)
from .services import bulk, content, labelling, own, sharing


class OwnViewSet(GenericViewSet):
    """The caller's own rows, and reads kept in Redis until one of them changes."""

    lookup_value_converter = "int"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any(isinstance(value, int) and value > MAX_ID for value in kwargs.values()):
            raise Http404

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    def valid(self, serializer: type, **options: Any) -> dict[str, Any]:
        """What ``serializer`` makes of the request's data; raises a validation error."""
        bound = serializer(data=self.request.data, **options)
        bound.is_valid(raise_exception=True)
        return bound.validated_data

    def cached(self, produce: Callable[[], object], **options: Any) -> HttpResponse:
        return cached_response(self.request, scope=f"notes:{self.request.user.pk}", produce=produce, **options)

    def page_of_notes(self, memberships: Any) -> bytes:
        return NotePagination().page(
            self.filter_queryset(memberships), self.request, self.request.query_params.get("ordering", "")
        )


@docs.notes
class NoteViewSet(OwnViewSet):
    queryset = Membership.objects.all()
    serializer_class = NoteSerializer
    pagination_class = NotePagination
    filterset_class: type | None = StatefulNoteFilter

    def body(self, pk: int) -> bytes:
        """The note's JSON as the caller sees it; 404 where they do not."""
        found = self.get_queryset().filter(note_id=pk).as_json().first()
        if found is None:
            raise Http404
        return found[0].encode()

    def answer(self, pk: int, code: int = status.HTTP_200_OK) -> HttpResponse:
        """The note as a write has left it."""
        body = self.body(pk)
        response = HttpResponse(body, content_type="application/json", status=code)
        response["ETag"] = versions.etag(body)
        return response

    def about(self, pk: int) -> dict[str, Any]:
        """Who asks for which note, at which version."""
        return {"by": self.request.user, "note_id": pk, "versions": versions.asked_for(self.request)}

    def about_one(self, pk: int) -> dict[str, Any]:
        return {"by": self.request.user, "note_ids": [pk], "versions": versions.asked_for(self.request)}

    # --- Lists

    def list(self, request: Request) -> HttpResponse:
        return self.cached(lambda: self.page_of_notes(self.get_queryset()))

    @action(detail=False, filterset_class=NoteFilter)
    def archived(self, request: Request) -> HttpResponse:
        return self.cached(lambda: self.page_of_notes(self.get_queryset().in_state("archived")))

    @action(detail=False, filterset_class=NoteFilter)
    def trashed(self, request: Request) -> HttpResponse:
        return self.cached(lambda: self.page_of_notes(self.get_queryset().in_state("trashed")))

    @docs.empty_trash
    @trashed.mapping.delete
    def empty_trash(self, request: Request) -> Response:
        content.empty_trash(owner=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- One note

    def create(self, request: Request) -> HttpResponse:
        note = content.create_note(owner=request.user, **self.valid(ContentSerializer))
        return self.answer(note.pk, status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: self.body(pk), etag=versions.etag)

    def update(self, request: Request, pk: int) -> HttpResponse:
        return self.change(pk, partial=False)

    def partial_update(self, request: Request, pk: int) -> HttpResponse:
        return self.change(pk, partial=True)

    def change(self, pk: int, *, partial: bool) -> HttpResponse:
        self.body(pk)  # a stranger learns nothing, not even what was wrong with the request
        content.edit_note(**self.about(pk), **self.valid(ContentSerializer, partial=partial))
        return self.answer(pk)

    def destroy(self, request: Request, pk: int) -> Response:
        content.delete_notes(**self.about_one(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- The caller's own view of it

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: int) -> HttpResponse:
        own.set_view(**self.about_one(pk), archived=True)
        return self.answer(pk)

    @action(detail=True, methods=["post"])
    def unarchive(self, request: Request, pk: int) -> HttpResponse:
        own.set_view(**self.about_one(pk), archived=False)
        return self.answer(pk)

    @action(detail=True, methods=["post"])
    def pin(self, request: Request, pk: int) -> HttpResponse:
        own.set_view(**self.about_one(pk), pinned=True)
        return self.answer(pk)

    @action(detail=True, methods=["post"])
    def unpin(self, request: Request, pk: int) -> HttpResponse:
        own.set_view(**self.about_one(pk), pinned=False)
        return self.answer(pk)

    @action(detail=True, methods=["post"], url_path="labels")
    def add_labels(self, request: Request, pk: int) -> HttpResponse:
        self.body(pk)
        labelling.add_labels(**self.about_one(pk), **self.valid(LabelIdsSerializer))
        return self.answer(pk)

    @action(detail=True, methods=["delete"], url_path="labels/<int:label_id>")
    def remove_label(self, request: Request, pk: int, label_id: int) -> Response:
        if not labelling.remove_labels(**self.about_one(pk), label_ids=[label_id]):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["put"])
    def reminder(self, request: Request, pk: int) -> HttpResponse:
        self.body(pk)
        own.set_reminder(**self.about(pk), **self.valid(ReminderSerializer))
        return self.answer(pk)

    @docs.clear_reminder
    @reminder.mapping.delete
    def clear_reminder(self, request: Request, pk: int) -> Response:
        own.clear_reminder(**self.about(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- The trash

    @action(detail=True, methods=["post"])
    def trash(self, request: Request, pk: int) -> HttpResponse:
        content.trash_notes(**self.about_one(pk))
        return self.answer(pk)

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: int) -> HttpResponse:
        content.restore_notes(**self.about_one(pk))
        return self.answer(pk)

    # --- Several at once

    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        asked = self.valid(BulkSerializer)
        bulk.act_on_notes(by=request.user, **asked)
        rows = self.get_queryset().filter(note_id__in=asked["ids"]).order_by("note_id").as_json()
        body = bulk_envelope(asked["action"], len(set(asked["ids"])), [row[0] for row in rows])
        return HttpResponse(body, content_type="application/json")

    # --- Who sees it

    @action(detail=True, pagination_class=FeedPagination, filterset_class=None)
    def collaborators(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: self.page_of_collaborators(pk))

    def page_of_collaborators(self, pk: int) -> object:
        self.body(pk)
        people = Membership.objects.filter(note_id=pk).exclude(role=Role.OWNER).select_related("user")
        page = self.paginate_queryset(people)
        return self.get_paginated_response([person(membership) for membership in page]).data

    @docs.share
    @collaborators.mapping.post
    def share(self, request: Request, pk: int) -> Response:
        self.body(pk)
        membership = sharing.share_note(**self.about(pk), **self.valid(ShareSerializer))
        return Response(person(membership), status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["patch"], url_path="collaborators/<str:usercode>")
    def collaborator(self, request: Request, pk: int, usercode: str) -> Response:
        self.body(pk)
        membership = sharing.change_role(**self.about(pk), usercode=usercode, **self.valid(RoleSerializer))
        return Response(person(membership))

    @docs.remove_collaborator
    @collaborator.mapping.delete
    def remove_collaborator(self, request: Request, pk: int, usercode: str) -> Response:
        sharing.remove_collaborator(**self.about(pk), usercode=usercode)
        return Response(status=status.HTTP_204_NO_CONTENT)


def person(membership: Membership) -> dict[str, Any]:
    user = membership.user
    return CollaboratorSerializer({"usercode": user.usercode, "username": user.username, "role": membership.role}).data


@docs.labels
class LabelViewSet(OwnViewSet):
    queryset = Label.objects.all()
    serializer_class = LabelSerializer
    filter_backends: list = []

    def get_queryset(self) -> Any:
        return super().get_queryset().with_counts()

    def list(self, request: Request) -> HttpResponse:
        return self.cached(self.page_of_labels)

    def page_of_labels(self) -> object:
        self.paginator.ordering = "key"
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(LabelSerializer(page, many=True).data).data

    def create(self, request: Request) -> Response:
        label = labelling.create_label(owner=request.user, **self.valid(LabelSerializer))
        return Response({"id": label.pk, "name": label.name, "note_count": 0}, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: LabelSerializer(self.get_object()).data)

    def update(self, request: Request, pk: int) -> Response:
        return self.rename(pk)

    def partial_update(self, request: Request, pk: int) -> Response:
        return self.rename(pk, partial=True)

    def rename(self, pk: int, **options: Any) -> Response:
        asked = {"name": self.get_object().name, **self.valid(LabelSerializer, **options)}
        labelling.rename_label(owner=self.request.user, label_id=pk, **asked)
        return Response(LabelSerializer(self.get_object()).data)

    def destroy(self, request: Request, pk: int) -> Response:
        labelling.delete_label(owner=request.user, label_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


@docs.label_notes
class LabelNotesViewSet(OwnViewSet):
    """The notes that bear one label."""

    queryset = Membership.objects.all()
    serializer_class = NoteSerializer
    pagination_class = NotePagination
    filterset_class = LabelNoteFilter

    def list(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: self.page_of_label(pk))

    def page_of_label(self, pk: int) -> bytes:
        if not Label.objects.visible_to(self.request.user).filter(pk=pk).exists():
            raise Http404
        return self.page_of_notes(self.get_queryset().labelled(pk))
