"""Public reads from the cache, before the API framework is asked."""

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from .caching import kept_response
from .throttling import AnonThrottle


def cache_first(view: Callable[..., HttpResponse], *, scope: str) -> Callable[..., HttpResponse]:
    """``view``, whose GETs are served from what ``cached_response(scope=…, public=True)`` has kept.

    Only for requests that say nothing of who asks. They are throttled all the same; what is not kept, or over its rate,
    goes to the view, which answers as ever.
    """

    @wraps(view)
    def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET" and _says_nothing_of_itself(request):
            asks: Any = SimpleNamespace(META=request.META, user=None)
            if found := kept_response(request, scope=scope, allow=lambda: AnonThrottle().allow_request(asks, view)):
                return found
        return view(request, *args, **kwargs)

    return serve


def _says_nothing_of_itself(request: HttpRequest) -> bool:
    return "HTTP_AUTHORIZATION" not in request.META and settings.SESSION_COOKIE_NAME not in request.COOKIES
