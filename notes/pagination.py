"""Cursors over several columns at once, which DRF's own cursor does not know.

A cursor holds the sort values of the row that a page ended with. The next page is what lies beyond them, found by the
index at once, however deep. It is signed, so that only positions which a list has given out come back.
"""

from collections.abc import Sequence
from typing import Any

from django.core import signing
from django.db.models import BooleanField, F, Func, Value
from django.db.models.functions import Left
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from config.errors import attr_error
from config.pagination import FeedPagination
from config.search import Fold

from .representation import envelope

SALT = "notes.cursor"
SORTS = {
    "updated_at": F("updated_at"),
    "created_at": F("note__created_at"),
    # Long enough to sort by, short enough to travel in a cursor.
    "title": Left(Fold("note__title"), 100),
}
ORDERINGS = [sign + name for name in SORTS for sign in ("", "-")]


class Beyond(Func):
    """``(a, b, c) < (x, y, z)``: one condition, which one index over all three columns answers."""

    output_field = BooleanField()

    def __init__(self, columns: Sequence[Any], values: Sequence[Any], *, descending: bool) -> None:
        super().__init__(*columns, *map(Value, values))
        self.descending = descending

    def as_sql(self, compiler, connection, **extra):
        compiled = [compiler.compile(part) for part in self.get_source_expressions()]
        half = len(compiled) // 2
        columns, values = (", ".join(sql for sql, _ in side) for side in (compiled[:half], compiled[half:]))
        sign = "<" if self.descending else ">"
        return f"({columns}) {sign} ({values})", [param for _, params in compiled for param in params]


class NotePagination(FeedPagination):
    """``{next, previous, results}`` of JSON strings, joined without being read."""

    def page(self, memberships: Any, request: Request, ordering: str = "") -> bytes:
        """The page of ``memberships`` that ``request`` asks for, as the bytes of its JSON.

        ``ordering`` is one of ORDERINGS; without it the pinned come first, then the latest changed.
        """
        name = ordering.lstrip("-")
        columns = [SORTS[name], F("note_id")] if name else [F("pinned"), F("updated_at"), F("note_id")]
        descending = ordering.startswith("-") or not name
        backwards, position = self._read_cursor(request, ordering)
        walk_down = descending != backwards
        if position:
            memberships = memberships.filter(Beyond(columns, position, descending=walk_down))
        size = self.get_page_size(request)
        ordered = memberships.order_by(*(column.desc() if walk_down else column.asc() for column in columns))
        rows = list(ordered.as_json(*columns)[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        following, before = (True, more) if backwards else (more, bool(position))
        links = (
            self._link(request, ordering, False, rows[-1]) if rows and following else None,
            self._link(request, ordering, True, rows[0]) if rows and before else None,
        )
        return envelope(links, [row[0] for row in rows])

    def _read_cursor(self, request: Request, ordering: str) -> tuple[bool, list[Any] | None]:
        raw = request.query_params.get(self.cursor_query_param)
        if not raw:
            return False, None
        try:
            asked, backwards, position = signing.loads(raw, salt=SALT)
        except signing.BadSignature as error:
            raise invalid_cursor() from error
        if asked != ordering:
            raise invalid_cursor()
        return backwards, position

    def _link(self, request: Request, ordering: str, backwards: bool, row: Sequence[Any]) -> str:
        position = [value.isoformat() if hasattr(value, "isoformat") else value for value in row[1:]]
        cursor = signing.dumps([ordering, backwards, position], salt=SALT)
        return replace_query_param(request.build_absolute_uri(), self.cursor_query_param, cursor)


def invalid_cursor() -> Exception:
    return attr_error("cursor", "This cursor is not one that this list has given out.", "invalid_cursor")
