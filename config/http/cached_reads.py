"""Serve reads from the cache, before cookie sessions, authentication by a view and REST framework run."""

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.module_loading import import_string

from config.api.scopes import is_allowed
from config.api.throttles import AnonThrottle, UserThrottle
from config.cache.responses import stored_response, use_generation
from config.logs import TOKEN


class Route(NamedTuple):
    match: ResolverMatch
    scope: str | Callable[[int], str]


class CachedReadsMiddleware:
    """Serve GETs of views with a ``cache_scope`` from the responses that ``cached_response`` has stored.

    ``cache_scope`` of a view's class is the scope of its public responses, or a function that returns the scope of a
    user's own responses from the user's ID. Clients with an access token, and anonymous clients of public responses,
    are served with one query (session, user and generation) and one round trip to Redis (request counter and response).

    It runs after the middlewares that every response needs (log, metrics, headers, CORS) and before those that only a
    view needs. The requests are authenticated and throttled as usual. A request that is not cached, has an invalid
    token, is over its rate or has a token in its URL goes on to the view, which uses the session found here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.session_of_token = import_string(settings.TOKEN_AUTHENTICATION)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.cached(request) or self.get_response(request)

    def cached(self, request: HttpRequest) -> HttpResponse | None:
        route = _route(request.path_info) if request.method == "GET" else None
        if route is None or TOKEN.search(request.META["QUERY_STRING"]):
            return None
        request.resolver_match = route.match  # /metrics/ takes the view's name from it
        scope, is_public = route.scope, isinstance(route.scope, str)
        client = SimpleNamespace(META=request.META, user=None)
        throttle: Any = AnonThrottle
        if "HTTP_AUTHORIZATION" in request.META:
            session = self.session_of_token(request, scope)
            if session is None or not is_allowed(session, route.match.func.cls, "GET"):  # type: ignore[attr-defined]
                return None
            scope = scope if isinstance(scope, str) else scope(session.user_id)
            use_generation(request, scope, session.generation)
            client.user, throttle = session.user, UserThrottle
        elif not isinstance(scope, str) or settings.SESSION_COOKIE_NAME in request.COOKIES:
            return None
        window = throttle().window(client, route.match.func)
        response = stored_response(request, scope=scope, public=is_public, window=window)
        if response is not None and client.user:
            request.user = client.user  # for the log line
        return response


@lru_cache(maxsize=1024)
def _route(path: str) -> Route | None:
    """Resolve ``path``; None if its view is not cached.

    Cached, because resolving is a tenth of the cost of a cached response.
    """
    try:
        match = resolve(path)
    except Resolver404:
        return None
    scope = getattr(getattr(match.func, "cls", None), "cache_scope", None)
    return None if scope is None else Route(match, scope)
