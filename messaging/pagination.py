"""Pages of a History, by the cursor that every feed of this API has."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor

from config.errors import attr_error
from config.pagination import FeedPagination

from .querysets import History
from .serializers import BIGGEST_ID


class HistoryPagination(FeedPagination):
    """Newest first, or with ``after`` oldest first. A position is a message's id."""

    def paginate_history(self, history: History, request: Any, *, after: int | None) -> list[int]:
        """The ids of the page that ``request`` asks for, in its order."""
        size = self.page_size = self.get_page_size(request) or self.page_size
        self.request = request
        self.base_url = request.build_absolute_uri()
        oldest = after is not None
        cursor = self._cursor(request)
        backwards = bool(cursor and cursor.reverse)
        bounds: dict[str, int] = {} if after is None else {"after": after}
        if cursor:
            # Going on means up where the oldest come first, and down where the newest do; going back is the reverse.
            bounds["after" if oldest != backwards else "before"] = int(cursor.position)
        found = history.ids(limit=size + 1, oldest=oldest != backwards, **bounds)
        page, more = found[:size], len(found) > size
        if backwards:
            page.reverse()
        self.ids = page
        self.has_next = bool(page) and (more if not backwards else True)
        self.has_previous = bool(page) and (more if backwards else cursor is not None)
        return page

    def _cursor(self, request: Any) -> Cursor | None:
        try:
            cursor = self.decode_cursor(request)
            if cursor is None or 0 <= int(cursor.position or "") <= BIGGEST_ID:
                return cursor
        except (NotFound, ValueError):
            pass
        raise attr_error("cursor", "This cursor is not one that a list has given out.", "invalid_cursor")

    def get_next_link(self) -> str | None:
        return self.encode_cursor(Cursor(0, False, str(self.ids[-1]))) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self.encode_cursor(Cursor(0, True, str(self.ids[0]))) if self.has_previous else None


class RecipientPagination(FeedPagination):
    """The recipients of one message, in the order of their accounts."""

    ordering = "position"
