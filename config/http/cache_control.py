"""Cache-Control of API responses."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class CacheControlMiddleware:
    """Forbid storing API responses that do not say otherwise: tokens, profiles and exports must not stay in a cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/api/") and "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response
