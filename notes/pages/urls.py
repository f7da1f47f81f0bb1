"""URLs of the pages under ``/notes/``."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.notes, name="notes-page"),
    path("<int:pk>/", views.notes, name="note-page"),
]
