"""Import and export of notes over HTTP."""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from config import audit, storage
from config.api.idempotency import run_once
from config.api.scopes import read_write
from config.api.throttles import UploadThrottle, UserThrottle
from config.api.views import APIView, GenericViewSet
from config.http.downloads import download

from .. import openapi
from ..models import NoteImport
from ..serializers import MAX_ID, ExportQuerySerializer, NoteArchiveSerializer, NoteImportSerializer
from ..services.imports import ArchiveTooLarge, start_import
from ..takeout.export import write_zip

MULTIPART_OVERHEAD = 2**20  # bytes of a multipart body besides its file


@openapi.new_import
class NewImportView(APIView):
    scopes = read_write("notes")
    parser_classes = [MultiPartParser]
    throttle_classes = [UserThrottle, UploadThrottle]

    def post(self, request: Request) -> Response | HttpResponse:
        # Checked first, so that a body that is too large is not read.
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.NOTES_IMPORT_MAX_MB * 2**20 + MULTIPART_OVERHEAD:
            raise ArchiveTooLarge
        serializer = NoteArchiveSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        key = storage.provisional_key("note-imports", ".zip")

        def start() -> Response:
            row = start_import(user=request.user, file=serializer.validated_data["file"], key=key)
            return Response(NoteImportSerializer(row, context={"request": request}).data, status.HTTP_202_ACCEPTED)

        return run_once(request, serializer.validated_data, start)


@openapi.imports
class ImportViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet):
    scopes = read_write("notes")

    # Not cached: the counts change while the import runs.
    queryset = NoteImport.objects.all()
    serializer_class = NoteImportSerializer
    filter_backends: list = []
    lookup_value_converter = "int"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(user=self.request.user, pk__lte=MAX_ID)


@openapi.exports
class ExportView(APIView):
    scopes = read_write("notes")

    def get(self, request: Request) -> HttpResponseBase:
        query = ExportQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        response = download(
            partial(write_zip, request.user, query.validated_data["format"]),
            filename=f"atrium-notes-{timezone.now():%Y-%m-%d}.zip",
            content_type="application/zip",
        )
        audit.record("notes_exported", details={"format": query.validated_data["format"]})
        return response
