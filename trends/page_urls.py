"""``/trends/``."""

from django.urls import path

from .pages import page

urlpatterns = [path("", page, name="trends-page")]
