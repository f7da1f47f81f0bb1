from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from config.caching import cached_response
from config.errors import PayloadTooLarge
from config.idempotency import once
from config.openapi import IDEMPOTENCY_KEY, errors
from config.pagination import TablePagination
from config.throttling import UploadThrottle

from . import downloads, services
from .exports import FORMATS
from .filters import ImportRunFilter, TrendFilter
from .importing import SCOPE
from .models import ImportRun, Trend
from .permissions import IsStaffOrReadOnly
from .serializers import (
    ImportReportSerializer,
    ImportRequestSerializer,
    ImportRunSerializer,
    SummarySerializer,
    TrendSerializer,
)

CACHE_SECONDS = 120
TAG = ["trends"]


@extend_schema_view(
    list=extend_schema(summary="List trends", description="Kept for two minutes, and fresh at once after any change."),
    retrieve=extend_schema(summary="Read a trend"),
    create=extend_schema(
        summary="Add a trend", description="Staff only.", responses={201: TrendSerializer, **errors(403, 409)}
    ),
    update=extend_schema(
        summary="Replace a trend", description="Staff only.", responses={200: TrendSerializer, **errors(403, 409)}
    ),
    partial_update=extend_schema(
        summary="Change a trend", description="Staff only.", responses={200: TrendSerializer, **errors(403, 409)},
        examples=[OpenApiExample("One column", {"impact_strength": "Medium"}, request_only=True)],
    ),
    destroy=extend_schema(summary="Delete a trend", description="Staff only.", responses={204: None, **errors(403)}),
)  # fmt: skip
class TrendViewSet(viewsets.ModelViewSet):
    queryset = Trend.objects.all()
    serializer_class = TrendSerializer
    filterset_class = TrendFilter
    pagination_class = TablePagination
    permission_classes = [IsStaffOrReadOnly]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._cached(self._page)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._cached(lambda: self.get_serializer(self.get_object()).data)

    @extend_schema(
        summary="Count trends for charts",
        description="Counts and sums by megatrend × STEEPL × impact × readiness, of the trends that the filters leave.",
        responses=SummarySerializer,
        filters=True,
        parameters=[OpenApiParameter(name, exclude=True) for name in ("ordering", "page", "page_size")],
    )
    def summary(self, request: Request) -> HttpResponse:
        return self._cached(self._summary)

    def _cached(self, produce: Any) -> HttpResponse:
        return cached_response(self.request, scope=SCOPE, public=True, ttl=CACHE_SECONDS, produce=produce)

    def _page(self) -> dict[str, Any]:
        rows = self.filter_queryset(self.get_queryset()).values(*TrendSerializer.Meta.fields)
        return self.get_paginated_response(self.paginate_queryset(rows)).data

    def _summary(self) -> dict[str, Any]:
        groups = list(self.filter_queryset(self.get_queryset()).summary())
        sums = {name: sum(group[name] for group in groups) for name in ("count", "publications", "patents")}
        return {**sums, "groups": groups}

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = services.create_trend(values=serializer.validated_data)

    def perform_update(self, serializer: Any) -> None:
        serializer.instance = services.update_trend(trend_id=serializer.instance.pk, values=serializer.validated_data)

    def perform_destroy(self, instance: Trend) -> None:
        services.delete_trends(trends=Trend.objects.filter(pk=instance.pk))


class ExportViewSet(viewsets.GenericViewSet):
    """All trends, or those that the filters of the list leave, as a file."""

    queryset = Trend.objects.all()
    filterset_class = TrendFilter
    pagination_class = None
    permission_classes = [IsAdminUser]

    def _export(self, name: str) -> HttpResponseBase:
        chosen = FORMATS[name]
        rows = self.filter_queryset(self.get_queryset())
        return downloads.stream(chosen.stream(rows), chosen.filename, chosen.content_type)

    @extend_schema(
        tags=TAG,
        filters=True,
        summary="Export trends as CSV",
        description="Staff only. It imports again to the same rows.",
        responses={(200, "text/csv"): OpenApiTypes.BINARY, **errors(403)},
    )
    def csv(self, request: Request) -> HttpResponseBase:
        return self._export("csv")

    @extend_schema(
        tags=TAG,
        filters=True,
        summary="Export trends as a workbook",
        description="Staff only.",
        responses={(200, FORMATS["xlsx"].content_type): OpenApiTypes.BINARY, **errors(403)},
    )
    def xlsx(self, request: Request) -> HttpResponseBase:
        return self._export("xlsx")

    @extend_schema(
        tags=TAG,
        filters=True,
        summary="Export trends as JSON",
        description="Staff only. A list of objects with the ten columns.",
        responses={(200, "application/json"): TrendSerializer(many=True), **errors(403)},
    )
    def json(self, request: Request) -> HttpResponseBase:
        return self._export("json")


@extend_schema_view(
    list=extend_schema(summary="List import runs", description="Staff only. Files of the watched folder too.",
                       responses={200: ImportRunSerializer(many=True), **errors(403)}),
    retrieve=extend_schema(summary="Read an import run", description="Staff only. With the first of its row errors.",
                           responses={200: ImportReportSerializer, **errors(403)}),
)  # fmt: skip
class ImportRunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = ImportRun.objects.none()
    filterset_class = ImportRunFilter
    pagination_class = TablePagination
    permission_classes = [IsAdminUser]
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> Any:
        return ImportRun.objects.visible_to(self.request.user).select_related("uploaded_by")

    def get_serializer_class(self) -> Any:
        return ImportRunSerializer if self.action == "list" else ImportReportSerializer

    def get_throttles(self) -> list:
        return [*super().get_throttles(), UploadThrottle()] if self.action == "create" else super().get_throttles()

    @extend_schema(
        summary="Import a CSV file",
        description="Staff only. A worker imports the file: read the run until `finished_at` is set. With `dry_run` "
        "the answer is the report itself and nothing is stored.",
        parameters=[IDEMPOTENCY_KEY],
        request={"multipart/form-data": ImportRequestSerializer},
        responses={202: ImportReportSerializer, **errors(403, 413, 415, 422)},
    )
    def create(self, request: Request) -> Response | HttpResponse:
        asked = ImportRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        if file.size > settings.TRENDS_MAX_UPLOAD:
            raise PayloadTooLarge(f"A file has at most {settings.TRENDS_MAX_UPLOAD // 1024**2} MiB.")
        if asked.validated_data["dry_run"]:
            return self._accepted(services.check_file(file=file))
        key = services.file_key()

        def start() -> Response:
            run = services.start_import(file=file, key=key, origin=ImportRun.Origin.UPLOAD, by=request.user)
            return self._accepted(run)

        return once(request, start)

    def _accepted(self, run: Any) -> Response:
        return Response(self.get_serializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Download a run's row errors", description="Staff only. Line, column, value, code and reason.",
        responses={(200, "text/csv"): OpenApiTypes.BINARY, **errors(403)},
    )  # fmt: skip
    def errors_csv(self, request: Request, pk: int) -> StreamingHttpResponse:
        return downloads.errors_csv(self.get_object())

    @extend_schema(
        summary="Download the file of a run",
        description="Staff only. The bytes as they came, where this server can reach them.",
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            302: OpenApiResponse(None, "A link of five minutes."),
            **errors(403),
        },
    )
    def original(self, request: Request, pk: int) -> HttpResponseBase:
        return downloads.original(self.get_object())
