"""Finds the columns of a sheet by its header."""

from dataclasses import dataclass

from config.text import remove_invisible

from .cells import text_of
from .choice import FIELDS, ColumnMapping
from .limits import InvalidSheet
from .rows import COLUMNS, has_content
from .worksheet import SECOND_VALUE, WHOLE_ROW, Cells

MAX_TITLE = 500  # characters; a longer text is not the title of a column
_REASON = "reason"  # an additional column of the file of rejected rows


def key_of(title: str) -> str:
    """Return what is compared of a column's title: no white space, no invisible characters, no case."""
    return "".join(remove_invisible(title).split()).casefold()


EXACT_KEYS = {key_of(title): title for title in COLUMNS}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of each field, and all columns that may have content; None means that any other is ignored."""

    name: tuple[int, ...]
    phone: tuple[int, ...]
    email: tuple[int, ...]
    allowed: frozenset[int] | None

    def has_content(self, cells: Cells) -> bool:
        """Return whether a row has a value that counts."""
        if self.allowed is not None or WHOLE_ROW in cells:
            return any(map(has_content, cells.values()))
        places = (*self.name, *self.phone, *self.email)
        return any(has_content(cells[place]) for place in places if place in cells)

    def has_extra(self, cells: Cells) -> bool:
        """Return whether a row has a value that would be lost silently."""
        if self.allowed is None:
            return SECOND_VALUE in cells
        allowed = self.allowed
        return any(has_content(cell) for column, cell in cells.items() if column not in allowed)


def titles_of(cells: Cells) -> dict[int, str]:
    """Return the titles of the columns of a header, in their order."""
    return {column: text_of(cell) for column, cell in sorted(cells.items()) if has_content(cell)}


def read_header(titles: dict[int, str], sheet: str, mapping: ColumnMapping | None) -> Header:
    """Find the columns of ``mapping``, or the three columns and no others; raises InvalidSheet."""
    return _exact(titles, sheet) if mapping is None else _mapped(titles, mapping)


def _exact(titles: dict[int, str], sheet: str) -> Header:
    found: dict[str, int] = {}
    ignored = set()
    where = f"The header of the sheet {sheet[:60]!r} is not valid." if sheet else "The header of the file is not valid."
    for column, title in titles.items():
        known = EXACT_KEYS.get(key_of(title))
        if key_of(title) == _REASON:
            ignored.add(column)
        elif known is None:
            shown = repr(title[:60]) if title else "one without a readable title"  # a formula without its result
            raise InvalidSheet("bad_header", f"{where} Unknown column: {shown}. Allowed: {', '.join(COLUMNS)}.")
        elif known in found:
            raise InvalidSheet("bad_header", f"{where} The column {known!r} occurs twice.")
        else:
            found[known] = column
    missing = [title for title in COLUMNS if title not in found]
    if missing:
        raise InvalidSheet("bad_header", f"{where} Missing columns: {', '.join(missing)}.")
    name, phone, email = ((found[title],) for title in COLUMNS)
    return Header(name, phone, email, frozenset({*found.values(), *ignored}))


def _mapped(titles: dict[int, str], mapping: ColumnMapping) -> Header:
    places: dict[str, list[int]] = {}
    for column, title in titles.items():
        places.setdefault(key_of(title), []).append(column)
    used: dict[int, str] = {}

    def columns(field: str) -> tuple[int, ...]:
        found = []
        for title in mapping.get(field, ()):
            attr, shown = f"mapping.{field}", repr(title[:60])
            matching = places.get(key_of(title), [])
            if not matching:
                raise InvalidSheet("unknown_column", f"The header has no column {shown}.", attr=attr)
            if len(matching) > 1:
                raise InvalidSheet("repeated_column", f"The header has more than one column {shown}.", attr=attr)
            if matching[0] in used:
                detail = f"The column {shown} is already used for {used[matching[0]]}."
                raise InvalidSheet("column_used_twice", detail, attr=attr)
            used[matching[0]] = field
            found.append(matching[0])
        return tuple(found)

    name, phone, email = map(columns, FIELDS)
    return Header(name, phone, email, None)
