"""Minimal views of each layer for benchmarks, and a WSGI app with one path outside Django."""

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402  Django must be set up first
from django.db import connection  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import AllowAny  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

settings.ROOT_URLCONF = os.environ.get("BENCH_URLS", "benchmarks.apps")
settings.ALLOWED_HOSTS = ["127.0.0.1"]

from config import urls as site  # noqa: E402


def application(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/wsgi":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return io.BytesIO(b"ok")
    return django_application(environ, start_response)


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def one_query(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return HttpResponse(str(cursor.fetchone()[0]))


class Bare(APIView):
    permission_classes = [AllowAny]
    authentication_classes: list = []
    throttle_classes: list = []

    def get(self, request: Any) -> Response:
        return Response({"ok": True})


urlpatterns = [path("django/", bare), path("query/", one_query), path("drf/", Bare.as_view()), *site.urlpatterns]
