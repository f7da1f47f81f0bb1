"""URLs of ``/api/v1/notes/`` and ``/api/v1/labels/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from .views import labels, notes, takeout

router = SimpleRouter(use_regex_path=False)
router.register("notes", notes.NoteViewSet, basename="note")
router.register("labels", labels.LabelViewSet, basename="label")
router.register("notes/imports", takeout.ImportViewSet, basename="note-import")

urlpatterns = [
    *router.urls,
    path("notes/import/", takeout.NewImportView.as_view(), name="note-import-create"),
    path("notes/export/", takeout.ExportView.as_view(), name="note-export"),
    path("labels/<int:pk>/notes/", labels.LabelNotesViewSet.as_view({"get": "list"}), name="label-notes"),
]
