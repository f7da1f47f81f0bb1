"""``/notes/``: where the link in a reminder leads."""

from django.urls import path

from . import pages

urlpatterns = [path("<int:pk>/", pages.note, name="note-page")]
