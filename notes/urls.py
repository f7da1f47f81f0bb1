"""``/api/v1/notes/`` and ``/api/v1/labels/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from . import transfer_views, views

router = SimpleRouter(use_regex_path=False)
router.register("notes/imports", transfer_views.ImportViewSet, basename="note-import")
router.register("notes", views.NoteViewSet, basename="note")
router.register("labels", views.LabelViewSet, basename="label")

urlpatterns = [
    path("notes/import/", transfer_views.NewImportView.as_view(), name="note-import-create"),
    path("notes/export/", transfer_views.ExportView.as_view(), name="note-export"),
    path("labels/<int:pk>/notes/", views.LabelNotesViewSet.as_view({"get": "list"}), name="label-notes"),
    *router.urls,
]
