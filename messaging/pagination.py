"""Cursor pagination of histories and recipients."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor

from config.api.errors import attr_error
from config.api.pagination import FeedPagination, fitting_texts, json_page

from . import sql
from .history import History
from .serializers import MAX_ID


class HistoryPagination(FeedPagination):
    """Newest first, or oldest first with ``after``. A cursor contains a message's id."""

    def paginate_history(
        self, history: History, request: Any, *, after: int | None = None, before: int | None = None
    ) -> list[sql.MessageRow]:
        """Return the messages of the requested page, in its order; raises a validation error for an invalid cursor.

        A page also ends at ``PAGE_MAX_BYTES`` of JSON, after at least one message.
        """
        size = self.page_size = self.get_page_size(request) or self.page_size
        self.request = request
        oldest = after is not None
        cursor = self._cursor(request)
        backwards = bool(cursor and cursor.reverse)
        bounds = {"after": after, "before": before}
        if cursor:
            # The next page has larger ids if the oldest come first, else smaller ones; the previous page the reverse.
            bounds["after" if oldest != backwards else "before"] = int(cursor.position)
        oldest_first = oldest != backwards
        found = sql.message_rows(
            *history.sql(limit=size + 1, oldest=oldest_first, **bounds),
            history.user,
            oldest_first=oldest_first,
            prepare=not history.is_search,
        )
        rows = found[: fitting_texts([row.json for row in found[:size]])]
        more = len(found) > len(rows)
        if backwards:
            rows.reverse()
        self.rows = rows
        self.has_next = bool(rows) and (more if not backwards else True)
        self.has_previous = bool(rows) and (more if backwards else cursor is not None)
        return rows

    def _cursor(self, request: Any) -> Cursor | None:
        try:
            cursor = self.decode_cursor(request)
            if cursor is None or 0 <= int(cursor.position or "") <= MAX_ID:
                return cursor
        except (NotFound, ValueError):
            pass
        raise attr_error(
            "cursor", "This cursor is invalid. Use the links next and previous of a page.", "invalid_cursor"
        )

    def json_page(self) -> bytes:
        """Return the JSON of the page that ``paginate_history`` returned."""
        return json_page(self.get_next_link(), self.get_previous_link(), [row.json for row in self.rows])

    def get_next_link(self) -> str | None:
        return self._link(self.rows[-1].id, backwards=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.rows[0].id, backwards=True) if self.has_previous else None

    def _link(self, position: int, *, backwards: bool) -> str:
        self.base_url = self.request.build_absolute_uri()
        return self.encode_cursor(Cursor(0, backwards, str(position)))


class RecipientPagination(FeedPagination):
    """The recipients of one message, oldest account first."""

    ordering = "position"
