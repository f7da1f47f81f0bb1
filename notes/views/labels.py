"""Labels over HTTP."""

from typing import Any

from django.http import Http404, HttpResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.idempotency import run_once

from .. import openapi
from ..filters import LabelNoteFilter
from ..models import Label, Membership
from ..pagination import NotePagination
from ..serializers import LabelSerializer, NoteSerializer
from ..services import labels
from .base import NotesViewSet


@openapi.labels
class LabelViewSet(NotesViewSet):
    queryset = Label.objects.all()
    serializer_class = LabelSerializer
    filter_backends: list = []

    def get_queryset(self) -> Any:
        return super().get_queryset().with_counts()

    def list(self, request: Request) -> HttpResponse:
        return self.cached(self.page_of_labels)

    def page_of_labels(self) -> object:
        self.paginator.ordering = ("folded", "id")
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(LabelSerializer(page, many=True).data).data

    def create(self, request: Request) -> Response | HttpResponse:
        content = self.validated_data(LabelSerializer)

        def create() -> Response:
            label = labels.create_label(owner=request.user, **content)
            return Response({"id": label.pk, "name": label.name, "note_count": 0}, status=status.HTTP_201_CREATED)

        return run_once(request, content, create)

    def retrieve(self, request: Request, pk: int) -> HttpResponse:
        return self.cached(lambda: LabelSerializer(self.get_object()).data)

    def update(self, request: Request, pk: int) -> Response:
        return self.rename(pk)

    def partial_update(self, request: Request, pk: int) -> Response:
        return self.rename(pk, partial=True)

    def rename(self, pk: int, **options: Any) -> Response:
        data = {"name": self.get_object().name, **self.validated_data(LabelSerializer, **options)}
        labels.rename_label(owner=self.request.user, label_id=pk, **data)
        return Response(LabelSerializer(self.get_object()).data)

    def destroy(self, request: Request, pk: int) -> Response:
        labels.delete_label(owner=request.user, label_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


@openapi.label_notes
class LabelNotesViewSet(NotesViewSet):
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
