"""Google Keep's format, one JSON file per note, as takeout.google.com writes it. Imports parse it, exports write it."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from config.text import MAX_MARKS, has_long_mark_run

from .. import models
from ..colors import is_color
from ..label_names import label_key, normalize_name

if TYPE_CHECKING:
    from .export import ExportedNote

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A JSON file with one of these members is a note.
NOTE_MEMBERS = ("textContent", "listContent", "userEditedTimestampUsec", "createdTimestampUsec", "isTrashed")
# Bold, italic, underlined or struck text, headings and lists in the HTML copy of a text.
FORMATTING = re.compile(
    r"<(?:h[1-6]|b|strong|i|em|u|s|ul|ol)\b|font-weight:\s*(?:[6-9]00|bold)|font-style:\s*italic"
    r"|text-decoration:\s*(?:underline|line-through)",
    re.IGNORECASE,
)


class NotANote(Exception):
    """The file contains no valid note. ``code`` and the text become the problem in the import's report."""

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
    file: str = ""
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def digest(self) -> bytes:
        return note_digest(self.created_at, self.title, self.body, self.items)


def note_digest(created_at: datetime | None, title: str, body: str, items: Iterable[dict[str, Any]]) -> bytes:
    """Return the SHA-256 by which an import recognises a note: its creation time and content."""
    content = [
        microseconds(created_at) if created_at else None,
        title,
        body,
        [[i["text"], i["checked"]] for i in items],
    ]
    return hashlib.sha256(orjson.dumps(content)).digest()


def parse_note(data: bytes) -> KeepNote:
    """Parse one file of an archive. Raises NotANote."""
    raw = _load(data)
    if not isinstance(raw, dict) or not any(member in raw for member in NOTE_MEMBERS):
        raise NotANote("not_a_note", "This file is not a Google Keep note.")
    note = KeepNote(
        title=_text(raw, "title", models.MAX_TITLE),
        body=_text(raw, "textContent", models.MAX_BODY),
        items=_items(raw.get("listContent")),
        color=_color(raw.get("color")),
        labels=_labels(raw.get("labels")),
        pinned=raw.get("isPinned") is True,
        archived=raw.get("isArchived") is True,
        trashed=raw.get("isTrashed") is True,
        created_at=_instant(raw, "createdTimestampUsec"),
        updated_at=_instant(raw, "userEditedTimestampUsec"),
    )
    # Older archives have no creation time.
    note.created_at = note.created_at or note.updated_at
    note.updated_at = note.updated_at or note.created_at
    _add_links(note, raw.get("annotations"))
    note.left_out += _left_out(raw)
    return note


def _load(data: bytes) -> Any:
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        pass
    try:
        # Accepts lone surrogates, which Keep writes when it cuts an emoji.
        return json.loads(data.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise NotANote("not_json", "This file is not valid JSON.") from error


def format_note(note: "ExportedNote") -> bytes:
    """Return a note in Keep's format; ``parse_note`` reads it back."""
    content: dict[str, Any] = {"title": note["title"]}
    if note["body"] or not note["items"]:
        content["textContent"] = note["body"]
    if note["items"]:
        content["listContent"] = [{"text": item["text"], "isChecked": item["checked"]} for item in note["items"]]
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
    """Return the microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _clean(value: str, name: str) -> str:
    """Return a text that Postgres can store. Raises NotANote for long runs of combining marks."""
    if not value.isascii():
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if has_long_mark_run(value):
        raise NotANote("too_many_marks", f"{name} has more than {MAX_MARKS} combining marks in a row.")
    return value.replace("\x00", "")


def _text(raw: dict[str, Any], name: str, limit: int) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotANote("invalid", f"{name} is not a string.")
    value = _clean(value, name)
    if len(value) > limit:
        raise NotANote("too_long", f"{name} is longer than {limit:,} characters.")
    return value


def _items(raw: Any) -> list[dict[str, Any]]:
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise NotANote("invalid", "listContent is not a list of objects.")
    if len(raw) > models.MAX_ITEMS:
        raise NotANote("too_long", f"listContent has more than {models.MAX_ITEMS:,} items.")
    return [
        {"text": _text(item, "text", models.MAX_ITEM_TEXT), "checked": item.get("isChecked") is True} for item in raw
    ]


def _labels(raw: Any) -> list[str]:
    """Return the valid names, normalized and without duplicates. An invalid label does not reject the note."""
    entries = (entry for entry in (raw if isinstance(raw, list) else []) if isinstance(entry, dict))
    # Cut before normalizing: the time of normalization can grow with the square of the length.
    names = (_clean(entry["name"], "A label")[:1000] for entry in entries if isinstance(entry.get("name"), str))
    normalized = (normalize_name(name)[: models.MAX_LABEL_NAME] for name in names)
    return list({label_key(name): name for name in normalized if label_key(name)}.values())[
        : models.MAX_LABELS_PER_NOTE
    ]


def _color(raw: Any) -> str:
    color = raw.lower() if isinstance(raw, str) else ""
    return color if is_color(color) else "default"


def _instant(raw: dict[str, Any], name: str) -> datetime | None:
    value = raw.get(name)
    if value in (None, 0):
        return None
    try:
        return EPOCH + timedelta(microseconds=int(value))
    except (OverflowError, ValueError, TypeError) as error:
        raise NotANote("invalid", f"{name} is not a valid timestamp.") from error


def _add_links(note: KeepNote, raw: Any) -> None:
    """Append the title and address of each link that the body does not contain."""
    links = []
    for annotation in raw if isinstance(raw, list) else []:
        url, title = (annotation.get(name) if isinstance(annotation, dict) else None for name in ("url", "title"))
        if isinstance(url, str) and url and not _contains_address(note.body, url):
            text = _clean(title, "A link") if isinstance(title, str) else ""
            links.append("\n".join(filter(None, (" ".join(text.split()), _clean(url, "A link")))))
    body = "\n\n".join(filter(None, (note.body, *dict.fromkeys(links))))
    if len(body) <= models.MAX_BODY:
        note.body = body
    else:
        note.left_out.append(("links_left_out", "The note was imported without its links: it would be too long."))


def _contains_address(text: str, url: str) -> bool:
    """Return whether ``url`` is in ``text`` as a whole, and not as the beginning of a longer address."""
    return url in text and re.search(rf"(?<![\w=/]){re.escape(url)}[^\w\s/]*(?!\S)", text) is not None


def _left_out(raw: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the code and detail of everything in the file that a note cannot contain."""
    found = []
    attachments = [each for each in _list(raw, "attachments") if isinstance(each, dict)]
    if attachments:
        types = ", ".join(dict.fromkeys(str(each.get("mimetype") or "unknown type")[:50] for each in attachments))
        detail = f"The note was imported without its attachments: {len(attachments)} ({types})."
        found.append(("attachments_left_out", detail))
    html = [raw.get("textContentHtml"), *(each.get("textHtml") for each in _list(raw, "listContent"))]
    if any(isinstance(text, str) and FORMATTING.search(text) for text in html):
        found.append(("formatting_left_out", "The note was imported without its text formatting."))
    if any(isinstance(each, dict) and not each.get("isOwner") for each in _list(raw, "sharees")):
        found.append(("collaborators_left_out", "The note was imported without its collaborators."))
    return found


def _list(raw: dict[str, Any], name: str) -> list[Any]:
    value = raw.get(name)
    return value if isinstance(value, list) else []
