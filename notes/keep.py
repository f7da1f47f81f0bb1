"""Google Keep's format, as takeout.google.com writes it: one JSON file a note. Read by imports, written by exports."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from . import models
from .text import COLORS, HEX_COLOR_RE, label_key, tidy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MARKS = ("textContent", "listContent", "userEditedTimestampUsec", "createdTimestampUsec", "isTrashed")


class NotANote(Exception):
    """The file holds no note that could be kept; ``code`` for programs, the text for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass
class KeepNote:
    title: str = ""
    body: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    color: str = "default"
    labels: list[str] = field(default_factory=list)
    pinned: bool = False
    archived: bool = False
    trashed: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def digest(self) -> bytes:
        return digest_of(self.created_at, self.title, self.body, self.items)


def digest_of(created_at: datetime | None, title: str, body: str, items: Iterable[dict[str, Any]]) -> bytes:
    """What makes two imported notes the same one: when it was made, and what it says."""
    said = [microseconds(created_at) if created_at else None, title, body, [[i["text"], i["checked"]] for i in items]]
    return hashlib.sha256(orjson.dumps(said)).digest()


def parse(data: bytes) -> KeepNote:
    """The note in a file of an archive; raises NotANote."""
    try:
        raw = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise NotANote("not_json", "This file is not valid JSON.") from error
    if not isinstance(raw, dict) or not any(mark in raw for mark in MARKS):
        raise NotANote("not_a_note", "This file is not a note of Google Keep.")
    items = _items(raw.get("listContent"))
    note = KeepNote(
        title=_text(raw, "title", models.MAX_TITLE),
        body=_text(raw, "textContent", models.MAX_BODY),
        items=items,
        color=_color(raw.get("color")),
        labels=_labels(raw.get("labels")),
        pinned=raw.get("isPinned") is True,
        archived=raw.get("isArchived") is True,
        trashed=raw.get("isTrashed") is True,
        created_at=_instant(raw, "createdTimestampUsec"),
        updated_at=_instant(raw, "userEditedTimestampUsec"),
    )
    # Older archives do not say when a note was made: then it is as old as its last change.
    note.created_at = note.created_at or note.updated_at
    note.updated_at = note.updated_at or note.created_at
    return note


def dump(note: dict[str, Any]) -> bytes:
    """A row of ``export.rows`` as Keep would write it, and ``parse`` read it."""
    content: dict[str, Any] = {"title": note["title"]}
    if note["body"] or not note["items"]:
        content["textContent"] = note["body"]
    if note["items"]:
        content["listContent"] = [{"text": i["text"], "isChecked": i["checked"]} for i in note["items"]]
    content |= {
        "labels": [{"name": name} for name in note["labels"]],
        "color": note["color"].upper(),
        "isPinned": note["pinned"],
        "isArchived": note["archived"],
        "isTrashed": note["trashed"],
        "createdTimestampUsec": microseconds(note["created_at"]),
        "userEditedTimestampUsec": microseconds(note["updated_at"]),
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def _text(raw: dict[str, Any], name: str, limit: int) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotANote("invalid", f"{name} is not a text.")
    value = value.replace("\x00", "")  # which no text in Postgres holds
    if len(value) > limit:
        raise NotANote("too_long", f"{name} is longer than {limit:,} characters.")
    return value


def _items(raw: Any) -> list[dict[str, Any]]:
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise NotANote("invalid", "listContent is not a list of items.")
    if len(raw) > models.MAX_ITEMS:
        raise NotANote("too_long", f"listContent has more than {models.MAX_ITEMS} items.")
    return [
        {"text": _text(item, "text", models.MAX_ITEM_TEXT), "checked": item.get("isChecked") is True} for item in raw
    ]


def _labels(raw: Any) -> list[str]:
    """Names as they will be stored, each once. Whatever else stands there is left out: a label is not worth a note."""
    found = raw if isinstance(raw, list) else []
    names = (entry.get("name") for entry in found if isinstance(entry, dict))
    tidied = (tidy(name.replace("\x00", ""))[: models.MAX_LABEL_NAME] for name in names if isinstance(name, str))
    return list({label_key(name): name for name in tidied if name}.values())[: models.MAX_LABELS_A_NOTE]


def _color(raw: Any) -> str:
    color = raw.lower() if isinstance(raw, str) else ""
    return color if color in COLORS or HEX_COLOR_RE.match(color) else "default"


def _instant(raw: dict[str, Any], name: str) -> datetime | None:
    value = raw.get(name)
    if value in (None, 0):
        return None
    try:
        return EPOCH + timedelta(microseconds=int(value))
    except (OverflowError, ValueError, TypeError) as error:
        raise NotANote("invalid", f"{name} is not a moment that a calendar knows.") from error
