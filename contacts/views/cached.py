"""The base of cached reads."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from config.cache import responses

from ..services.notifications import cache_scope


class CachedReads:
    """Serve GET from the cache, with an ETag, until the caller's uploads or contacts change."""

    has_etag = True
    cache_scope = staticmethod(cache_scope)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return responses.cached_response(
            request,
            scope=cache_scope(request.user.pk),
            produce=lambda: super(CachedReads, self).get(request, *args, **kwargs).data,
        )
