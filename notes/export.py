"""One's own notes, to take away: a zip made while it is sent, and the notes' part of the account's export."""

import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from accounts.models import User

from . import keep
from .models import Label, Membership, MembershipLabel, Reminder, Role

BATCH = 200


def rows(user: User, **only: Any) -> Iterator[dict[str, Any]]:
    """The notes that ``user`` sees, or of these ``only`` some, oldest first, a batch a query."""
    memberships = Membership.objects.visible_to(user).filter(**only).order_by("note_id")
    last = 0
    while True:
        batch = list(memberships.filter(note_id__gt=last).select_related("note").defer("note__search_text")[:BATCH])
        labels = _labels([membership.pk for membership in batch])
        for membership in batch:
            note = membership.note
            yield {
                "id": note.pk, "title": note.title, "body": note.body, "items": note.items, "color": note.color,
                "labels": labels.get(membership.pk, []), "role": membership.role,
                "pinned": membership.pinned, "archived": membership.archived, "trashed": membership.trashed,
                "created_at": note.created_at, "updated_at": note.updated_at,
            }  # fmt: skip
        if len(batch) < BATCH:
            return
        last = batch[-1].note_id


def _labels(membership_ids: list[int]) -> dict[int, list[str]]:
    pairs = MembershipLabel.objects.filter(membership_id__in=membership_ids).order_by("label__key")
    found: dict[int, list[str]] = {}
    for membership_id, name in pairs.values_list("membership_id", "label__name"):
        found.setdefault(membership_id, []).append(name)
    return found


def zipped(user: User, kind: str) -> Iterator[bytes]:
    """The notes that ``user`` owns as a zip, ``kind`` of ``json`` (Keep's) or ``markdown``, in pieces as it is made."""
    suffix, render = FORMATS[kind]
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for note in rows(user, role=Role.OWNER):
            year, *rest = note["updated_at"].timetuple()[:6]
            # The zip format knows no time before 1980 and none after 2107.
            entry = zipfile.ZipInfo(f"{file_stem(note)}{suffix}", (min(max(year, 1980), 2107), *rest))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, render(note))
            yield sink.take()
    yield sink.take()


class _Sink:
    """Takes what zipfile writes, and gives it away; it cannot go back, so zipfile does not try to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open; zipfile's type asks for it."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def file_stem(note: dict[str, Any]) -> str:
    """A name that every file system takes, and that no two notes share."""
    title = " ".join(re.sub(r"[^\w\s-]", " ", note["title"]).split())[:60].strip()
    return f"Takeout/Keep/{title or 'Note'} {note['id']}"


def markdown(note: dict[str, Any]) -> bytes:
    """Front matter that note-taking programs read, a heading, the text, and a task list."""
    lines = ["---", f"created: {note['created_at'].isoformat()}", f"updated: {note['updated_at'].isoformat()}"]
    lines += [f"color: {note['color']}" if not note["color"].startswith("#") else f'color: "{note["color"]}"']
    lines += [f"{state}: true" for state in ("pinned", "archived", "trashed") if note[state]]
    if note["labels"]:
        lines += ["tags:", *(f"  - {_quoted(name)}" for name in note["labels"])]
    lines += ["---", ""]
    if note["title"]:
        lines += [f"# {' '.join(note['title'].split())}", ""]
    if note["body"]:
        lines += [note["body"], ""]
    lines += [f"- [{'x' if item['checked'] else ' '}] {' '.join(item['text'].split())}" for item in note["items"]]
    return ("\n".join(lines).rstrip() + "\n").encode()


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


FORMATS: dict[str, tuple[str, Callable[[dict[str, Any]], bytes]]] = {
    "json": (".json", keep.dump),
    "markdown": (".md", markdown),
}


def held_of(user: User) -> dict[str, Any]:
    """What notes hold of ``user``, for the export of the whole account."""
    return {
        "notes": list(rows(user)),
        "labels": list(Label.objects.visible_to(user).values_list("name", flat=True)),
        "reminders": list(Reminder.objects.filter(membership__user=user).values("membership__note_id", "remind_at")),
        "imports": list(user.note_imports.values("name", "size", "status", "total", "created", "created_at")),
    }
