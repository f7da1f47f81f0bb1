"""Pages: cursors for feeds that grow at the head, numbers for tables that people leaf through."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination

from .errors import attr_error

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


class FeedPagination(CursorPagination):
    """``{next, previous, results}``; the cost of a page does not grow with its distance from the first."""

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "page_size"
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, TypeError, DjangoValidationError, DataError) as error:
            # A cursor is opaque, so whatever does not decode to a position was made up or cut short.
            raise attr_error("cursor", "This cursor is not one that a list has given out.", "invalid_cursor") from error


class TablePagination(PageNumberPagination):
    """``{count, next, previous, results}``."""

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "page_size"
