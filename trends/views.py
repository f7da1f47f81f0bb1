from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.errors import PayloadTooLarge
from config.api.idempotency import run_once
from config.api.openapi import IDEMPOTENCY_KEY, errors
from config.api.pagination import FeedPagination, TablePagination, count_fitting
from config.api.scopes import every_method, public_reads
from config.api.throttles import UploadThrottle
from config.api.views import GenericViewSet, ModelViewSet
from config.cache.responses import cached_response
from config.json import dumps

from . import representation
from .files import downloads
from .files.exports import FORMATS
from .filters import ImportRunFilter, TrendFilter
from .models import CACHE_SCOPE, Change, ImportRun, Trend
from .permissions import IsStaffOrReadOnly
from .serializers import (
    DryRunSerializer,
    ImportReportSerializer,
    ImportRunSerializer,
    NewImportRunSerializer,
    RadarSerializer,
    TrendChangesSerializer,
    TrendHistorySerializer,
    TrendSerializer,
    TrendSummarySerializer,
    TrendValuesSerializer,
)
from .services import editing, imports, revisions

CACHE_SECONDS = 120
MAX_CHANGES = 500  # of a response
TAG = ["trends"]


@extend_schema_view(
    list=extend_schema(summary="List trends", description="Cached for two minutes; every change is visible at once."),
    retrieve=extend_schema(summary="Get a trend", description="One trend with its ten columns."),
    create=extend_schema(
        summary="Add a trend", description="Staff only.", parameters=[IDEMPOTENCY_KEY],
        responses={201: TrendSerializer, **errors(403, 409)},
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
class TrendViewSet(ModelViewSet):
    scopes = public_reads("trends:write")
    has_etag = True
    queryset = Trend.objects.defer("fingerprint", "search_text")
    serializer_class = TrendSerializer
    filterset_class = TrendFilter
    pagination_class = TablePagination
    permission_classes = [IsStaffOrReadOnly]
    cache_scope = CACHE_SCOPE

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._cached(self._page)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._cached(lambda: self.get_serializer(self.get_object()).data)

    @extend_schema(
        summary="Count trends for charts",
        description="Counts and sums by megatrend, STEEPL, impact and readiness, for the filtered trends.",
        responses=TrendSummarySerializer,
        filters=True,
        parameters=[OpenApiParameter(name, exclude=True) for name in ("ordering", "page", "page_size")],
    )
    def summary(self, request: Request) -> HttpResponse:
        return self._cached(lambda: representation.summary(self.filter_queryset(self.get_queryset())))

    @extend_schema(
        summary="Get the radar",
        description=f"The {representation.RADAR_GROUPS} groups with most trends, for the filtered trends. "
        "`total_groups` counts all groups.",
        responses=RadarSerializer,
        filters=True,
        parameters=[OpenApiParameter(name, exclude=True) for name in ("ordering", "page", "page_size")],
    )
    def radar(self, request: Request) -> HttpResponse:
        return self._cached(lambda: representation.radar(self.filter_queryset(self.get_queryset())))

    def _cached(self, produce: Any) -> HttpResponse:
        return cached_response(self.request, scope=CACHE_SCOPE, public=True, ttl=CACHE_SECONDS, produce=produce)

    def _page(self) -> dict[str, Any]:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data).data

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)

        def create() -> Response:
            self.perform_create(serializer)
            return Response(serializer.data, status=status.HTTP_201_CREATED)

        return run_once(request, serializer.validated_data, create)

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = editing.create_trend(values=serializer.validated_data)

    def perform_update(self, serializer: Any) -> None:
        serializer.instance = editing.update_trend(trend_id=serializer.instance.pk, values=serializer.validated_data)

    def perform_destroy(self, instance: Trend) -> None:
        editing.delete_trends(trends=Trend.objects.filter(pk=instance.pk))


class HistoryPagination(FeedPagination):
    ordering = ("-before_at", "-id")


class HistoryViewSet(GenericViewSet):
    """The present and the earlier values of a trend."""

    scopes = public_reads("trends:write")
    has_etag = True
    queryset = Change.objects.none()
    serializer_class = TrendHistorySerializer
    pagination_class = HistoryPagination
    permission_classes = [IsStaffOrReadOnly]
    cache_scope = CACHE_SCOPE

    @extend_schema(
        tags=TAG,
        operation_id="trends_history",
        summary="List the history of a trend",
        description="The present values and all earlier ones, newest first, and those of trends merged into this one.",
        responses=TrendHistorySerializer(many=True),
    )
    def list(self, request: Request, pk: int) -> HttpResponse:
        return cached_response(
            request, scope=CACHE_SCOPE, public=True, ttl=CACHE_SECONDS, produce=lambda: self._page(pk)
        )

    def _page(self, pk: int) -> dict[str, Any]:
        trend = get_object_or_404(Trend, pk=pk)
        changes = self.paginate_queryset(Change.objects.history_of(pk))
        page: dict[str, Any] = self.get_paginated_response(self.get_serializer(changes, many=True).data).data
        if page["previous"] is None:
            present = Change(before=trend, before_at=trend.uploaded_at, before_run_id=trend.run_id)
            page["results"] = [self.get_serializer(present).data, *page["results"]]
        return page


class ChangeViewSet(GenericViewSet):
    """Changes of all trends, for clients that keep a copy."""

    scopes = public_reads("trends:write")
    has_etag = True
    queryset = Change.objects.none()
    serializer_class = TrendChangesSerializer
    pagination_class = None
    permission_classes = [IsStaffOrReadOnly]
    cache_scope = CACHE_SCOPE
    query_parameters = ("since",)

    @extend_schema(
        tags=TAG,
        operation_id="trends_changes",
        summary="List changes of trends",
        description=f"Created, updated and deleted trends in the order of their commits, at most {MAX_CHANGES}. Repeat "
        "the call with `until` as `since` until `results` is empty, and later to get what is new.",
        parameters=[
            OpenApiParameter(
                "since", str, description="Only changes after this instant, or after the import with this id finished."
            )
        ],
        responses={200: TrendChangesSerializer, **errors(400)},
    )
    def changes(self, request: Request) -> HttpResponse:
        return cached_response(request, scope=CACHE_SCOPE, public=True, ttl=CACHE_SECONDS, produce=self._changes)

    def _changes(self) -> dict[str, Any]:
        since = revisions.parse_since(self.request.query_params.get("since", ""))
        changes = revisions.changes_since(since, limit=MAX_CHANGES)
        data: dict[str, Any] = self.get_serializer(
            {"results": changes, "until": changes[-1].at if changes else since}
        ).data
        fitting = count_fitting([len(dumps(change)) for change in data["results"]])
        if fitting < len(changes):
            data["results"] = data["results"][:fitting]
            data["until"] = data["results"][-1]["at"]
        return data


class ExportViewSet(GenericViewSet):
    """Export the filtered trends as a file."""

    scopes = every_method("trends:write")
    queryset = Trend.objects.all()
    filterset_class = TrendFilter
    pagination_class = None
    permission_classes = [IsAdminUser]

    def _export(self, name: str) -> HttpResponseBase:
        return downloads.export(FORMATS[name], self.filter_queryset(self.get_queryset()))

    @extend_schema(
        tags=TAG,
        filters=True,
        summary="Export trends as CSV",
        description="Staff only. The file imports again to the same rows.",
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
        responses={(200, "application/json"): TrendValuesSerializer(many=True), **errors(403)},
    )
    def json(self, request: Request) -> HttpResponseBase:
        return self._export("json")


@extend_schema_view(
    list=extend_schema(summary="List import runs", description="Staff only. Includes files of the watched folder.",
                       responses={200: ImportRunSerializer(many=True), **errors(403)}),
    retrieve=extend_schema(summary="Read an import run", description="Staff only. Includes the first row errors.",
                           responses={200: ImportReportSerializer, **errors(403)}),
)  # fmt: skip
class ImportRunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    scopes = every_method("trends:write")
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
        description="Staff only. A worker imports the file: poll the run until `finished_at` is set. With `dry_run` "
        "the response is the finished report and nothing is stored.",
        parameters=[IDEMPOTENCY_KEY, DryRunSerializer],
        request={"multipart/form-data": NewImportRunSerializer},
        responses={202: ImportReportSerializer, **errors(403, 413, 415, 422)},
    )
    def create(self, request: Request) -> Response | HttpResponse:
        form = NewImportRunSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        query = DryRunSerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        file = form.validated_data["file"]
        if file.size > settings.TRENDS_MAX_UPLOAD:
            raise PayloadTooLarge(f"The file is larger than {settings.TRENDS_MAX_UPLOAD // 1024**2} MiB.")
        mode = form.validated_data.get("mode") or query.validated_data.get("mode") or ImportRun.Mode.ADD
        if form.validated_data["dry_run"] or query.validated_data["dry_run"]:
            return self._accepted(imports.check_file(file=file, mode=mode))
        key = imports.new_file_key()

        def start() -> Response:
            run = imports.start_import(file=file, key=key, origin=ImportRun.Origin.UPLOAD, by=request.user, mode=mode)
            return self._accepted(run)

        return run_once(request, {**form.validated_data, "mode": mode}, start)

    def _accepted(self, run: Any) -> Response:
        return Response(self.get_serializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Download the row errors of an import run",
        description="Staff only. Line, column, value, code and reason.",
        responses={(200, "text/csv"): OpenApiTypes.BINARY, **errors(403)},
    )  # fmt: skip
    def errors_csv(self, request: Request, pk: int) -> HttpResponseBase:
        return downloads.errors_csv(self.get_object())

    @extend_schema(
        summary="Download the file of an import run",
        description="Staff only. The unchanged file; 404 if this server cannot reach it.",
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            302: OpenApiResponse(None, "A link that is valid for five minutes."),
            **errors(403),
        },
    )
    def original(self, request: Request, pk: int) -> HttpResponseBase:
        return downloads.original(self.get_object())
