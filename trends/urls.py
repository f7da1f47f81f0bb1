"""``/api/v1/trends/``."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.urls import path

from config.public_reads import cache_first

from .importing import SCOPE
from .views import ExportViewSet, ImportRunViewSet, TrendViewSet


def cached(actions: dict[str, Any]) -> Callable[..., HttpResponse]:
    return cache_first(TrendViewSet.as_view(actions), scope=SCOPE)


urlpatterns = [
    path("", cached({"get": "list", "post": "create"}), name="trend-list"),
    path("summary/", cached({"get": "summary"}), name="trend-summary"),
    path("export.csv", ExportViewSet.as_view({"get": "csv"}), name="trend-export-csv"),
    path("export.xlsx", ExportViewSet.as_view({"get": "xlsx"}), name="trend-export-xlsx"),
    path("export.json", ExportViewSet.as_view({"get": "json"}), name="trend-export-json"),
    path("imports/", ImportRunViewSet.as_view({"get": "list", "post": "create"}), name="trend-imports"),
    path("imports/<int:pk>/", ImportRunViewSet.as_view({"get": "retrieve"}), name="trend-import"),
    path("imports/<int:pk>/errors.csv", ImportRunViewSet.as_view({"get": "errors_csv"}), name="trend-import-errors"),
    path("imports/<int:pk>/original/", ImportRunViewSet.as_view({"get": "original"}), name="trend-import-original"),
    path(
        "<int:pk>/",
        cached({"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}),
        name="trend-detail",
    ),
]
