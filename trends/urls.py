"""``/api/v1/trends/``."""

from django.urls import path

from .views import ChangeViewSet, ExportViewSet, HistoryViewSet, ImportRunViewSet, TrendViewSet

urlpatterns = [
    path("", TrendViewSet.as_view({"get": "list", "post": "create"}), name="trend-list"),
    path("summary/", TrendViewSet.as_view({"get": "summary"}), name="trend-summary"),
    path("radar/", TrendViewSet.as_view({"get": "radar"}), name="trend-radar"),
    path("changes/", ChangeViewSet.as_view({"get": "changes"}), name="trend-changes"),
    path("export.csv", ExportViewSet.as_view({"get": "csv"}), name="trend-export-csv"),
    path("export.xlsx", ExportViewSet.as_view({"get": "xlsx"}), name="trend-export-xlsx"),
    path("export.json", ExportViewSet.as_view({"get": "json"}), name="trend-export-json"),
    path("imports/", ImportRunViewSet.as_view({"get": "list", "post": "create"}), name="trend-imports"),
    path("imports/<int:pk>/", ImportRunViewSet.as_view({"get": "retrieve"}), name="trend-import"),
    path("imports/<int:pk>/errors.csv", ImportRunViewSet.as_view({"get": "errors_csv"}), name="trend-import-errors"),
    path("imports/<int:pk>/original/", ImportRunViewSet.as_view({"get": "original"}), name="trend-import-original"),
    path(
        "<int:pk>/",
        TrendViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}),
        name="trend-detail",
    ),
    path("<int:pk>/history/", HistoryViewSet.as_view({"get": "list"}), name="trend-history"),
]
