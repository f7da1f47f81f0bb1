"""Notes coming from Google Keep, and going wherever their owner wants."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from config import storage
from config.idempotency import once
from config.throttling import UploadThrottle, UserThrottle

from . import docs, export
from .models import NoteImport
from .serializers import MAX_ID, ExportQuerySerializer, NoteArchiveSerializer, NoteImportSerializer
from .services.importing import ArchiveTooLarge, start_import

FORM_OVERHEAD = 2**20  # bytes of a multipart body around its file


@docs.new_import
class NewImportView(APIView):
    parser_classes = [MultiPartParser]
    throttle_classes = [UserThrottle, UploadThrottle]

    def post(self, request: Request) -> Response | HttpResponse:
        # Before the body is read: what is too large anyway need not be taken in.
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.NOTES_IMPORT_MAX_MB * 2**20 + FORM_OVERHEAD:
            raise ArchiveTooLarge
        asked = NoteArchiveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        key = storage.provisional_key("note-imports", ".zip")

        def start() -> Response:
            row = start_import(user=request.user, file=asked.validated_data["file"], key=key)
            return Response(NoteImportSerializer(row, context={"request": request}).data, status.HTTP_202_ACCEPTED)

        return once(request, start)


@docs.imports
class ImportViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet):
    """The caller's imports. They are not cached: their counts move while a worker reads."""

    queryset = NoteImport.objects.all()
    serializer_class = NoteImportSerializer
    filter_backends: list = []
    lookup_value_converter = "int"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(user=self.request.user, pk__lte=MAX_ID)


@docs.exports
class ExportView(APIView):
    """A zip of the notes that the caller owns, sent while it is made."""

    def get(self, request: Request) -> StreamingHttpResponse:
        query = ExportQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        pieces = export.zipped(request.user, query.validated_data["format"])
        response = StreamingHttpResponse(pieces, content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="atrium-notes-{timezone.now():%Y-%m-%d}.zip"'
        response["Cache-Control"] = "private, no-store"
        return response
