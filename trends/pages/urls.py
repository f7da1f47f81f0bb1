"""``/trends/``."""

from django.urls import path

from .views import counts, page, template, trend

urlpatterns = [
    path("", page, name="trends-page"),
    path("<int:pk>/", trend, name="trend-page"),
    path("counts/", counts, name="trends-page-counts"),
    path("template.<str:extension>", template, name="trends-template"),
]
