"""Pagination: cursors for feeds that grow at the start, page numbers for tables."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.response import Response

from config.json import dumps

from .errors import attr_error

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


def page_schema(results: dict[str, Any], example: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of a page whose links look like ``example``, a query string."""
    link = {"type": ["string", "null"], "format": "uri", "example": f"https://atrium.example.org/api/v1/{example}"}
    return {"type": "object", "properties": {**properties, "next": link, "previous": link, "results": results}}


class FeedPagination(CursorPagination):
    """``{next, previous, results}``; the cost of a page does not depend on its position.

    A page also ends at ``PAGE_MAX_BYTES`` of JSON, after at least one row.
    """

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "page_size"
    ordering = "-id"
    page: Any

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, TypeError, DjangoValidationError, DataError) as error:
            # A cursor is opaque: one that does not decode to a position was made up or cut short.
            raise attr_error(
                "cursor", "Invalid cursor. Use the `next` or `previous` link of a page.", "invalid_cursor"
            ) from error

    def get_paginated_response(self, data: Any) -> Response:
        backwards = bool(self.cursor and self.cursor.reverse)
        fitting = count_fitting([len(dumps(row)) for row in (reversed(data) if backwards else data)])
        if fitting < len(data):
            self.shorten(len(data) - fitting, backwards=backwards)
            data = data[-fitting:] if backwards else data[:fitting]
        return super().get_paginated_response(data)

    def shorten(self, dropped: int, *, backwards: bool) -> None:
        """Leave out ``dropped`` rows, those farthest from the cursor; the links continue there."""
        if backwards:
            self.previous_position = self._get_position_from_instance(self.page[dropped - 1], self.ordering)
            self.page, self.has_previous = self.page[dropped:], True
        else:
            self.next_position = self._get_position_from_instance(self.page[-dropped], self.ordering)
            self.page, self.has_next = self.page[:-dropped], True

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema, "notes/?cursor=cD0yMDI2LTExLTI2")


def json_page(next_link: str | None, previous_link: str | None, results: Iterable[str]) -> bytes:
    """Return the bytes of ``{next, previous, results}``; ``results`` are JSON."""
    head = dumps({"next": next_link, "previous": previous_link})[:-1]
    return head + b',"results":[' + ",".join(results).encode() + b"]}"


def fitting_texts(rows: Sequence[str]) -> int:
    """Return how many of ``rows`` fit into ``PAGE_MAX_BYTES``: at least one, if there are any.

    The sizes of rows that surely fit, at four bytes a character, are not added up one by one: this took 3 % of a page
    of messages.
    """
    if 4 * sum(map(len, rows)) <= settings.PAGE_MAX_BYTES:
        return len(rows)
    return count_fitting(len(row.encode()) for row in rows)


def count_fitting(sizes: Iterable[int]) -> int:
    """Return how many rows of these sizes fit into ``PAGE_MAX_BYTES``: at least one."""
    return max(1, sum(total <= settings.PAGE_MAX_BYTES for total in accumulate(sizes)))


class TablePagination(PageNumberPagination):
    """``{count, next, previous, results}``."""

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "page_size"

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema, "trends/?page=2", count={"type": "integer", "example": 123})
