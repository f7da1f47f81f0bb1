"""Any part of the list of contacts by its position, for a table whose scroll bar covers all rows.

The API's list has cursors: a client reads it from one end. Here the cost of a page grows with its position.
"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from accounts.authentication import CookieAuthentication
from config.api.views import GenericAPIView
from config.cache.responses import cached_response

from ..filters import ContactFilter
from ..models import Contact
from ..representation import ContactSerializer
from ..services.notifications import cache_scope

MAX_ROWS = 200
MAX_IDS = 100_000


class WindowSerializer(serializers.Serializer):
    """The query parameters besides the filters of the list."""

    offset = serializers.IntegerField(default=0, min_value=0, max_value=10_000_000)
    limit = serializers.IntegerField(default=100, min_value=1, max_value=MAX_ROWS)


class IdsSerializer(WindowSerializer):
    limit = serializers.IntegerField(default=MAX_IDS, min_value=1, max_value=MAX_IDS)


class ContactWindowView(GenericAPIView):
    """``GET /contacts/window/?offset=&limit=`` with the filters of the API: ``{count, results}``."""

    window_class: type[WindowSerializer] = WindowSerializer
    queryset = Contact.objects.none()
    filterset_class = ContactFilter
    pagination_class = None
    authentication_classes = [CookieAuthentication]
    query_parameters = ("offset", "limit")  # part of the cache's key

    def get_queryset(self) -> Any:
        return Contact.objects.visible_to(self.request.user).with_visible_upload()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Any:
        window = self.window_class(data=request.query_params.dict())
        window.is_valid(raise_exception=True)
        return cached_response(
            request, scope=cache_scope(request.user.pk), produce=lambda: self._rows(**window.validated_data)
        )

    def _rows(self, offset: int, limit: int) -> dict[str, Any]:
        contacts = self.filter_queryset(self.get_queryset())
        # The ids first: for the rows before the window Postgres reads the index only.
        ids = list(contacts.values_list("pk", flat=True)[offset : offset + limit])
        rows = self.get_queryset().in_bulk(ids)
        results = ContactSerializer([rows[pk] for pk in ids if pk in rows], many=True).data
        return {"count": contacts.count(), "results": results}


class ContactIdsView(ContactWindowView):
    """``GET /contacts/ids/?offset=&limit=`` with the same filters: the ``ids`` of a range of rows, to select them."""

    window_class = IdsSerializer

    def _rows(self, offset: int, limit: int) -> dict[str, Any]:
        contacts = self.filter_queryset(Contact.objects.visible_to(self.request.user))
        return {"ids": list(contacts.values_list("pk", flat=True)[offset : offset + limit])}
