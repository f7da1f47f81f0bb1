"""Bodies of no stated length are refused: as WSGI has it they read as empty, and what was sent would be lost unsaid."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .errors import LengthRequired, answer

SAFE = ("GET", "HEAD", "OPTIONS")  # whose bodies nobody reads


class LengthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        in_chunks = "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH")
        if in_chunks and request.method not in SAFE:
            return answer(request, LengthRequired())
        return self.get_response(request)
