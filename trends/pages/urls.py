"""``/trends/``."""

from django.urls import path

from .views import counts, page

urlpatterns = [path("", page, name="trends-page"), path("counts/", counts, name="trends-page-counts")]
