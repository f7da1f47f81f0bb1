"""HTTP for uploads and contacts."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import caching, idempotency, storage
from config.openapi import IDEMPOTENCY_KEY, errors
from config.pagination import FeedPagination
from config.throttling import UploadThrottle

from . import announcements, rows, services, sheets
from .filters import ContactFilter, UnprocessedContactFilter
from .models import Contact, FileMetadata, RejectedRow, UnprocessedContact
from .serializers import (
    ContactSerializer,
    RejectedRowSerializer,
    SheetSerializer,
    UnprocessedContactSerializer,
    UploadSerializer,
)
from .uploads import SheetParser

XLSX = OpenApiResponse(OpenApiTypes.BINARY, "The file.")
REFUSALS = [
    OpenApiExample(
        code,
        {"type": "validation_error", "errors": [{"code": code, "detail": detail, "attr": "file"}]},
        response_only=True,
        status_codes=["400"],
    )
    for code, detail in (
        ("bad_header", "The first row has to name the columns; missing: Email Address."),
        ("not_xlsx", "This looks like a text file, such as .csv. Save it as .xlsx."),
        ("too_many_rows", "The sheet has 1,200,000 rows; at most 1,000,000 are read."),
        ("unsafe_file", "The sheet has a cell far to the right of all others. Delete that column."),
    )
]


class CachedReads:
    """Lists and rows served from Redis as the bytes that were sent, with their ETag, until anything of them changes."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return caching.cached_response(
            request,
            scope=announcements.scope(request.user.pk),
            produce=lambda: super(CachedReads, self).get(request, *args, **kwargs).data,
        )


class ByRow(FeedPagination):
    ordering = "row"


class ByTurn(FeedPagination):
    ordering = ("due_at", "id")


class UploadsView(CachedReads, generics.ListAPIView):
    serializer_class = UploadSerializer
    parser_classes = [SheetParser]

    def get_queryset(self) -> Any:
        return FileMetadata.objects.visible_to(self.request.user).with_waiting()

    def get_throttles(self) -> list:
        return [*super().get_throttles(), *([UploadThrottle()] if self.request.method == "POST" else [])]

    @extend_schema(summary="List uploads")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Upload a sheet",
        description="Answers as soon as the file is checked and stored; a worker reads it, which `status` and the "
        "counts show as it goes. The same content may be uploaded again: `duplicate_of` then names the first.",
        request={"multipart/form-data": SheetSerializer},
        responses={202: UploadSerializer, **errors(413, 415, 422)},
        parameters=[IDEMPOTENCY_KEY],
        examples=REFUSALS,
    )
    def post(self, request: Request) -> Response:
        upload, replayed = services.receive(
            owner=request.user,
            idempotency_key=idempotency.key_of(request) or "",
            file=services.require_file(request.data.get("file")),
        )
        answer = Response(announcements.first_answer(upload), status=status.HTTP_202_ACCEPTED)
        if replayed:
            answer["Idempotent-Replayed"] = "true"
        return answer


class OfUpload:
    """What the views of one upload have in common: the caller's own, or 404."""

    request: Request
    kwargs: dict[str, Any]

    def get_upload(self) -> FileMetadata:
        return generics.get_object_or_404(FileMetadata.objects.visible_to(self.request.user), pk=self.kwargs["pk"])


class UploadView(CachedReads, generics.RetrieveAPIView):
    serializer_class = UploadSerializer

    def get_queryset(self) -> Any:
        return FileMetadata.objects.visible_to(self.request.user).with_waiting()

    @extend_schema(summary="Follow an upload")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class OriginalView(OfUpload, APIView):
    @extend_schema(
        summary="Download the original",
        responses={
            200: OpenApiResponse(OpenApiTypes.BINARY, "The file itself, from the local storage."),
            302: OpenApiResponse(description="To a link of five minutes, where the files are in S3."),
        },
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        upload = self.get_upload()
        if settings.AWS_STORAGE_BUCKET_NAME:
            return HttpResponseRedirect(storage.signed_url(upload.key, filename=upload.name))
        return storage.file_response(upload.key, filename=upload.name)


class ErrorsView(OfUpload, CachedReads, generics.ListAPIView):
    serializer_class = RejectedRowSerializer
    pagination_class = ByRow
    queryset = RejectedRow.objects.none()

    def get_queryset(self) -> Any:
        return self.get_upload().rejected_rows.all()

    @extend_schema(summary="List rejected rows")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class ErrorsSheetView(OfUpload, APIView):
    @extend_schema(
        summary="Download rejected rows",
        description="The three columns as they came, and the reason. Mend the rows and upload the file again: the "
        "column Reason is passed over.",
        responses={(200, sheets.CONTENT_TYPE): XLSX},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        upload = self.get_upload()
        found = upload.rejected_rows.in_pieces("name", "phone_number", "email_address", "message")
        return sheet_response(
            f"errors of {upload.name.removesuffix('.xlsx')}.xlsx", (*rows.COLUMNS, "Reason"), found, upload.rejected
        )


class RetryView(OfUpload, APIView):
    @extend_schema(summary="Retry a failed upload", request=None, responses={202: UploadSerializer, **errors(409)})
    def post(self, request: Request, pk: int) -> Response:
        upload = services.retry(upload=self.get_upload())
        return Response(announcements.represent(upload), status=status.HTTP_202_ACCEPTED)


class ContactsView(CachedReads, generics.ListAPIView):
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    queryset = Contact.objects.none()

    def get_queryset(self) -> Any:
        return Contact.objects.visible_to(self.request.user)

    @extend_schema(summary="List contacts", operation_id="contacts_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class UnprocessedView(CachedReads, generics.ListAPIView):
    serializer_class = UnprocessedContactSerializer
    filterset_class = UnprocessedContactFilter
    pagination_class = ByTurn
    queryset = UnprocessedContact.objects.none()

    def get_queryset(self) -> Any:
        return UnprocessedContact.objects.visible_to(self.request.user)

    @extend_schema(
        summary="List waiting rows",
        description="In the order of their turns: `due_at` is when the row is stored as a contact.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class TemplateView(APIView):
    @extend_schema(summary="Download an empty sheet", responses={(200, sheets.CONTENT_TYPE): XLSX})
    def get(self, request: Request) -> HttpResponse:
        return _as_download(
            HttpResponse(sheets.template(rows.COLUMNS), content_type=sheets.CONTENT_TYPE), "contacts template.xlsx"
        )


class ExportView(APIView):
    @extend_schema(summary="Download contacts", responses={(200, sheets.CONTENT_TYPE): XLSX})
    def get(self, request: Request) -> StreamingHttpResponse:
        found = Contact.objects.visible_to(request.user)
        pieces = found.in_pieces("name", "phone_number", "email_address")
        return sheet_response("contacts.xlsx", rows.COLUMNS, pieces, found.count())


def sheet_response(name: str, columns: tuple[str, ...], found: Any, count: int) -> StreamingHttpResponse:
    return _as_download(
        StreamingHttpResponse(sheets.stream(columns, found, count=count), content_type=sheets.CONTENT_TYPE), name
    )


def _as_download(response: Any, name: str) -> Any:
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "private, no-store"
    return response
