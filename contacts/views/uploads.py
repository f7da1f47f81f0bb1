"""The API of uploads: their import, their errors, retry, undo and deletion."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Any, BinaryIO

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from config import sheets, storage
from config.api import idempotency
from config.api.errors import attr_error
from config.api.openapi import IDEMPOTENCY_KEY, errors
from config.api.scopes import read_write
from config.api.throttles import UploadThrottle
from config.api.views import APIView, ListAPIView, RetrieveAPIView
from config.http.downloads import download

from ..exports import CSV, XLSX, Format, write_csv, write_xlsx
from ..files.rows import COLUMNS
from ..models import FileMetadata, RejectedRow, UploadStatus
from ..pagination import RowPagination
from ..parsers import SheetParser
from ..representation import (
    DryRunReportSerializer,
    RejectedRowSerializer,
    UndoSerializer,
    UploadSerializer,
    queued_json,
    upload_json,
)
from ..serializers import DryRunSerializer, UploadSheetSerializer
from ..services import dry_run, undo, uploads
from .cached import CachedReads
from .exports import FILE

INVALID_FILES = [
    OpenApiExample(
        code,
        {"type": "validation_error", "errors": [{"code": code, "detail": detail, "attr": "file"}]},
        response_only=True,
        status_codes=["400"],
    )
    for code, detail in (
        ("bad_header", "The first row has to name the columns; missing: Email Address."),
        ("not_xlsx", "This is neither an Excel workbook nor a text file. Save it as .xlsx or .csv."),
        ("too_many_rows", "The sheet has 1,200,000 rows; the limit is 1,000,000."),
        ("unsafe_file", "The file declares XML entities, which are not allowed."),
    )
]


class UploadsView(CachedReads, ListAPIView):
    scopes = read_write("contacts")
    serializer_class = UploadSerializer
    parser_classes = [SheetParser]

    def get_queryset(self) -> Any:
        return FileMetadata.objects.visible_to(self.request.user).with_waiting()

    def get_throttles(self) -> list:
        return [*super().get_throttles(), *([UploadThrottle()] if self.request.method == "POST" else [])]

    @extend_schema(summary="List uploads", description="Your uploads, newest first.")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Upload a sheet",
        description="Answers once the file is checked and stored. A worker then imports its rows; `status` and the "
        "counts show the progress. The same content can be uploaded again: `duplicate_of` is then the first upload.\n\n"
        "The content decides whether a file is a workbook or CSV. `mapping` names its columns; without a mapping it "
        "has exactly the columns Name, Phone Number and Email Address.\n\n"
        "With `dry_run` the answer is 200 with the columns, a mapping (yours or a guess) and what an import would "
        "decide now about each row. Nothing is stored. One dry run runs at a time per person (429).",
        request={"multipart/form-data": UploadSheetSerializer},
        responses={200: DryRunReportSerializer, 202: UploadSerializer, **errors(413, 415, 422)},
        parameters=[IDEMPOTENCY_KEY, DryRunSerializer],
        examples=INVALID_FILES,
    )
    def post(self, request: Request) -> Response:
        file = request.data.get("file")
        if not hasattr(file, "temporary_file_path"):
            raise attr_error("file", "Send the sheet as the multipart field `file`.", "required")
        form = UploadSheetSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        query = DryRunSerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        if form.validated_data["dry_run"] or query.validated_data["dry_run"]:
            report = dry_run.dry_run(owner=request.user, file=file, choice=form.choice())
            return Response(DryRunReportSerializer(report).data)
        upload, replayed = uploads.create_upload(
            owner=request.user, file=file, choice=form.choice(), idempotency_key=idempotency.get_key(request) or ""
        )
        answer = Response(queued_json(upload), status=status.HTTP_202_ACCEPTED)
        if replayed:
            answer["Idempotent-Replayed"] = "true"
        return answer


class UploadMixin:
    """Find the upload of a URL among the caller's own, or answer 404."""

    request: Request
    kwargs: dict[str, Any]

    def check_visible(self) -> None:
        self.get_upload()

    def get_upload(self) -> FileMetadata:
        return generics.get_object_or_404(FileMetadata.objects.visible_to(self.request.user), pk=self.kwargs["pk"])


class UploadView(CachedReads, RetrieveAPIView):
    scopes = read_write("contacts")
    serializer_class = UploadSerializer

    def get_queryset(self) -> Any:
        return FileMetadata.objects.visible_to(self.request.user).with_waiting()

    def get_object(self) -> FileMetadata:
        upload = super().get_object()
        upload.reasons = upload.rejected_rows.all().by_reason()
        return upload

    @extend_schema(
        summary="Get an upload", description="The status and the counts of an upload. They change while it is imported."
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Delete an upload",
        description="Deletes the original file, the metadata and the rejected rows. The contacts and the waiting rows "
        "of the upload stay, with `upload: null`; to remove them too, undo the upload first. 409 `not_finished` while "
        "the upload is imported or undone.",
        responses={204: None, **errors(409)},
    )
    def delete(self, request: Request, pk: int) -> Response:
        uploads.delete_upload(upload=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class OriginalView(UploadMixin, APIView):
    scopes = read_write("contacts")

    @extend_schema(
        summary="Download the original",
        description="The unchanged file. With S3 the response redirects to a link that is valid for five minutes.",
        responses={
            (200, sheets.CONTENT_TYPE): OpenApiResponse(OpenApiTypes.BINARY, "The file, with local storage."),
            302: OpenApiResponse(description="A link that is valid for five minutes, with S3."),
        },
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        upload = self.get_upload()
        if settings.AWS_STORAGE_BUCKET_NAME:
            return HttpResponseRedirect(storage.signed_url(upload.key, filename=upload.name))
        return storage.file_response(upload.key, filename=upload.name)


class ErrorsView(UploadMixin, CachedReads, ListAPIView):
    scopes = read_write("contacts")
    serializer_class = RejectedRowSerializer
    pagination_class = RowPagination
    queryset = RejectedRow.objects.none()

    def get_queryset(self) -> Any:
        return self.get_upload().rejected_rows.all()

    @extend_schema(summary="List rejected rows", description="The rows that were not stored, with the reason for each.")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)


class ErrorsFileView(UploadMixin, APIView):
    """Download the rejected rows in one format; both formats exist for every upload."""

    scopes = read_write("contacts")

    def download(self, kind: Format, write: Callable[[BinaryIO, Iterable, Sequence[str]], None]) -> HttpResponseBase:
        upload = self.get_upload()
        rows = upload.rejected_rows.in_batches("name", "phone_number", "email_address", "message")
        return download(
            lambda file: write(file, rows, (*COLUMNS, "Reason")),
            filename=f"errors of {PurePath(upload.name).stem}.{kind.name}",
            content_type=kind.content_type,
        )


class ErrorsXlsxView(ErrorsFileView):
    @extend_schema(
        summary="Download rejected rows",
        description="The three columns with their original texts, and the reason. Correct the rows and upload the file "
        "again, without a mapping: the column Reason is ignored.",
        responses={(200, XLSX.content_type): FILE},
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        return self.download(XLSX, write_xlsx)


class ErrorsCsvView(ErrorsFileView):
    @extend_schema(
        summary="Download rejected rows as CSV",
        description="Like `errors.xlsx`. `links.errors_file` of an upload has the format of its file.",
        responses={(200, "text/csv"): FILE},
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        return self.download(CSV, write_csv)


class RetryView(UploadMixin, APIView):
    scopes = read_write("contacts")

    @extend_schema(
        summary="Retry a failed upload",
        description="Import the stored file again. Only for uploads with the status `failed`.",
        request=None,
        responses={202: UploadSerializer, **errors(409)},
    )
    def post(self, request: Request, pk: int) -> Response:
        upload = uploads.retry_upload(upload=self.get_upload())
        return Response(upload_json(upload), status=status.HTTP_202_ACCEPTED)


class UndoView(UploadMixin, APIView):
    scopes = read_write("contacts")

    @extend_schema(
        summary="Undo an upload",
        description="Removes every contact and waiting row that the upload has stored, also corrected ones. Its "
        "other counts and rejected rows stay. Above 100,000 rows the answer is 202, and a worker removes them: "
        "the upload has the status `undoing`, then `undone`, and shows how many were removed. The window's history "
        "stays: a key is free one window after it was last stored. Undoing an upload twice changes nothing. "
        "409 `not_finished` while the upload is imported.",
        request=None,
        responses={200: UndoSerializer, 202: UndoSerializer, **errors(409)},
    )
    def post(self, request: Request, pk: int) -> Response:
        result = undo.undo_upload(upload=self.get_upload())
        code = status.HTTP_202_ACCEPTED if result.status == UploadStatus.UNDOING else status.HTTP_200_OK
        return Response(UndoSerializer(result).data, status=code)
