"""Refuse request bodies without a Content-Length: WSGI would read them as empty and lose their content."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.api.errors import LengthRequired

from .error_pages import error_response

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")  # their bodies are never read


class ContentLengthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chunked = "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH")
        if chunked and request.method not in SAFE_METHODS:
            return error_response(request, LengthRequired())
        return self.get_response(request)
