"""``/messager/``."""

from django.urls import path

from . import pages

urlpatterns = [path("", pages.messager, name="messager")]
