"""Downloads: the empty sheet, and the contacts as a workbook, as CSV and as vCards."""

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from config import audit, sheets
from config.api.scopes import read_write
from config.api.views import APIView, GenericAPIView
from config.http.downloads import download

from ..exports import CSV, VCARD, XLSX, Format
from ..files.rows import COLUMNS
from ..filters import ContactFilter
from ..models import Contact

FILE = OpenApiResponse(OpenApiTypes.BINARY, "The file.")


class TemplateView(APIView):
    scopes = read_write("contacts")

    @extend_schema(
        summary="Download an empty sheet",
        description="A sheet with the three columns, formatted as text.",
        responses={(200, sheets.CONTENT_TYPE): FILE},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return xlsx_response("contacts template.xlsx", ())


class ExportView(GenericAPIView):
    """Export the filtered contacts; the file is complete before the answer begins."""

    scopes = read_write("contacts")
    queryset = Contact.objects.none()
    filterset_class = ContactFilter
    pagination_class = None

    def get_queryset(self) -> "QuerySet[Contact]":
        return Contact.objects.visible_to(self.request.user)

    def export(self, kind: Format) -> HttpResponseBase:
        contacts = self.filter_queryset(self.get_queryset())
        response = download(
            lambda file: kind.write(file, contacts), filename=f"contacts.{kind.name}", content_type=kind.content_type
        )
        audit.record("contacts_exported", details={"format": kind.name})
        return response


class XlsxExportView(ExportView):
    @extend_schema(
        summary="Download contacts as a workbook",
        description="Your contacts, or those that match the filters, as a sheet that can be uploaded again.",
        operation_id="contacts_export_xlsx",
        filters=True,
        responses={(200, XLSX.content_type): FILE},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(XLSX)


class CsvExportView(ExportView):
    @extend_schema(
        summary="Download contacts as CSV",
        description="Your contacts, or those that match the filters: commas, UTF-8. A text that a spreadsheet program "
        "would run as a formula has an apostrophe in front.",
        operation_id="contacts_export_csv",
        filters=True,
        responses={(200, "text/csv"): FILE},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(CSV)


class VCardExportView(ExportView):
    @extend_schema(
        summary="Download contacts as vCards",
        description="Your contacts, or those that match the filters, as vCards 4.0 (RFC 6350).",
        operation_id="contacts_export_vcf",
        filters=True,
        responses={(200, "text/vcard"): FILE},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(VCARD)


def xlsx_response(name: str, rows: Iterable[Sequence[str]], columns: Sequence[str] = COLUMNS) -> HttpResponseBase:
    """Return a workbook with ``rows`` as a download called ``name``."""

    def write(file: BinaryIO) -> None:
        sheets.write_xlsx(file, rows, title="Contacts", columns=columns)

    return download(write, filename=name, content_type=sheets.CONTENT_TYPE)
