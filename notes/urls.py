"""``/api/v1/notes/`` and ``/api/v1/labels/``."""

from rest_framework.routers import SimpleRouter

from . import views

router = SimpleRouter(use_regex_path=False)
router.register("notes", views.NoteViewSet, basename="note")
router.register("labels", views.LabelViewSet, basename="label")

urlpatterns = router.urls
