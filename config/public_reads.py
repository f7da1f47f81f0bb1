"""Public reads from the cache, before sessions, log-ins and the API framework are asked."""

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from .caching import kept_response
from .throttling import AnonThrottle


def cache_first(view: Callable[..., HttpResponse], *, scope: str) -> Callable[..., HttpResponse]:
    """Mark ``view`` as one whose GETs may be served from what ``cached_response(scope=…, public=True)`` has kept."""
    view.public_scope = scope  # type: ignore[attr-defined]
    return view


class PublicReadsMiddleware:
    """Serves the GETs of views marked by ``cache_first`` from the cache.

    Stands behind what every answer needs (its log line, figures, headers, CORS) and before what only a view does, which
    is most of the work of such a request. Only for requests that say nothing of who asks. They are throttled all the
    same; what is not kept, or over its rate, goes to the view, which answers as ever.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method != "GET" or not _says_nothing_of_itself(request):
            return self.get_response(request)
        return self.kept(request) or self.get_response(request)

    def kept(self, request: HttpRequest) -> HttpResponse | None:
        match = _route(request.path_info)
        scope = getattr(match.func, "public_scope", None) if match else None
        if match is None or scope is None:
            return None
        request.resolver_match = match  # by which the figures of /metrics/ name the view
        asks: Any = SimpleNamespace(META=request.META, user=None)
        return kept_response(request, scope=scope, allow=lambda: AnonThrottle().allow_request(asks, match.func))


@lru_cache(maxsize=1024)
def _route(path: str) -> ResolverMatch | None:
    """Where ``path`` leads. Remembered: looking is a tenth of a kept answer's work, and few paths are public."""
    try:
        return resolve(path)
    except Resolver404:
        return None


def _says_nothing_of_itself(request: HttpRequest) -> bool:
    return "HTTP_AUTHORIZATION" not in request.META and settings.SESSION_COOKIE_NAME not in request.COOKIES
