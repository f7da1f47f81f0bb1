"""Cursor pagination of histories and recipients."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor

from config.api.errors import attr_error
from config.api.pagination import FeedPagination, fitting_texts, json_page

from .history import History
from .serializers import MAX_ID


class HistoryPagination(FeedPagination):
    """Newest first, or oldest first with ``after``. A cursor contains a message's id."""

    def paginate_history(
        self, history: History, request: Any, *, after: int | None = None, before: int | None = None
    ) -> list[int]:
        """Return the ids of the requested page, in its order; raises a validation error for an invalid cursor."""
        size = self.page_size = self.get_page_size(request) or self.page_size
        self.request = request
        self.base_url = request.build_absolute_uri()
        oldest = after is not None
        cursor = self._cursor(request)
        backwards = bool(cursor and cursor.reverse)
        bounds = {"after": after, "before": before}
        if cursor:
            # The next page has larger ids if the oldest come first, else smaller ones; the previous page the reverse.
            bounds["after" if oldest != backwards else "before"] = int(cursor.position)
        found = history.ids(limit=size + 1, oldest=oldest != backwards, **bounds)
        page, more = found[:size], len(found) > size
        if backwards:
            page.reverse()
        self.cursor = cursor
        self.ids = page
        self.has_next = bool(page) and (more if not backwards else True)
        self.has_previous = bool(page) and (more if backwards else cursor is not None)
        return page

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

    def json_page(self, rows: list[str]) -> bytes:
        """Return the JSON of the page whose ids ``paginate_history`` returned; ``rows`` are its results."""
        backwards = bool(self.cursor and self.cursor.reverse)
        fitting = fitting_texts(rows[::-1] if backwards else rows)
        if fitting < len(rows):
            self.shorten(len(rows) - fitting, backwards=backwards)
            rows = rows[-fitting:] if backwards else rows[:fitting]
        return json_page(self.get_next_link(), self.get_previous_link(), rows)

    def shorten(self, dropped: int, *, backwards: bool) -> None:
        if backwards:
            self.ids, self.has_previous = self.ids[dropped:], True
        else:
            self.ids, self.has_next = self.ids[:-dropped], True

    def get_next_link(self) -> str | None:
        return self.encode_cursor(Cursor(0, False, str(self.ids[-1]))) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self.encode_cursor(Cursor(0, True, str(self.ids[0]))) if self.has_previous else None


class RecipientPagination(FeedPagination):
    """The recipients of one message, oldest account first."""

    ordering = "position"
