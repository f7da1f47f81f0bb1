"""Answer API requests before the middlewares of cookie sessions: cached reads, and all requests with a token."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.module_loading import import_string

from config.api.errors import is_unavailable
from config.api.scopes import is_allowed
from config.api.throttles import AnonThrottle, UserThrottle
from config.api.views import APIView
from config.cache.responses import stored_response, use_generation
from config.logs import TOKEN

from .error_pages import outage_response


class Route(NamedTuple):
    """An API view, its ``cache_scope``, and its classes of authentication."""

    match: ResolverMatch
    scope: str | Callable[[int], str] | None
    authentication: Sequence[type]


class APIMiddleware:
    """Serve GETs of views with a ``cache_scope`` from the responses that ``cached_response`` has stored.

    ``cache_scope`` of a view's class is the scope of its public responses, or a function that returns the scope of a
    user's own responses from the user's ID. Clients with an access token, and anonymous clients of public responses,
    are served with one query (session, user and generation) and one round trip to Redis (request counter and response).
    Cached reads are authenticated and throttled as usual.

    Other requests with a valid token are answered by their view, with the session found here and without the
    middlewares behind this one, which are for cookie sessions. So are requests to views without authentication, such as
    the login. All others go on: those without a token, with an invalid one, or with a token in the URL.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.tokens = import_string(settings.TOKEN_AUTHENTICATION)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        route = _route(request.path_info)
        try:
            answer = self.answer(request, route) if route else None
        except Exception as error:
            if not is_unavailable(error):
                raise
            return outage_response(request, error)
        return answer or self.get_response(request)

    def answer(self, request: HttpRequest, route: Route) -> HttpResponse | None:
        """Return the answer of the cache or the view; None for a request that needs the other middlewares."""
        if (query := request.META.get("QUERY_STRING")) and TOKEN.search(query):
            return None
        request.resolver_match = route.match  # /metrics/ takes the view's name from it
        if not route.authentication:
            return _call_view(request, route.match)
        scope = route.scope if request.method == "GET" else None
        session = None
        if "HTTP_AUTHORIZATION" in request.META:
            session = self.tokens.session_of(request, scope or "") if self.tokens in route.authentication else None
            if session is None:
                return None
        elif not isinstance(scope, str) or settings.SESSION_COOKIE_NAME in request.COOKIES:
            return None
        response = self.cached(request, route.match.func, scope, session) if scope else None
        return response or (_call_view(request, route.match, session) if session else None)

    def cached(
        self, request: HttpRequest, view: Any, scope: str | Callable[[int], str], session: Any
    ) -> HttpResponse | None:
        """Return the cached response of an anonymous client or of the user of ``session``."""
        public, client, throttle = isinstance(scope, str), SimpleNamespace(META=request.META, user=None), AnonThrottle
        if session:
            if not is_allowed(session, view.cls, "GET"):
                return None
            scope = scope if isinstance(scope, str) else scope(session.user_id)
            use_generation(request, scope, session.generation)
            client.user, throttle = session.user, UserThrottle  # type: ignore[assignment]
        window = throttle().window(client, view)
        response = stored_response(request, scope=str(scope), public=public, window=window)
        if response is not None and session:
            request.user = session.user  # for the log line
        return response


def _call_view(request: HttpRequest, match: ResolverMatch, session: Any = None) -> HttpResponse:
    """Do what Django's handler does behind the last middleware. An API view answers its exceptions itself."""
    if session:  # REST framework uses them instead of authenticating
        request._force_auth_user, request._force_auth_token = session.user, session  # type: ignore[attr-defined]
    response = match.func(request, *match.args, **match.kwargs)
    return response.render() if hasattr(response, "render") else response


@lru_cache(maxsize=1024)
def _route(path: str) -> Route | None:
    """Resolve ``path``; None if its view is not one of the API.

    Cached, because resolving is a tenth of the cost of a cached response.
    """
    try:
        match = resolve(path)
    except Resolver404:
        return None
    view = getattr(match.func, "cls", None)
    if view is None or not issubclass(view, APIView):
        return None
    return Route(match, getattr(view, "cache_scope", None), view.authentication_classes)
