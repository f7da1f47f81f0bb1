"""Export notes: as a zip in Keep's format or Markdown, and as rows for the data export."""

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Any, TypedDict

from accounts.models import User

from ..models import Membership, MembershipLabel, Role
from .keep import format_note

BATCH = 200


class ExportedNote(TypedDict):
    id: int
    title: str
    body: str
    items: list[dict[str, Any]]
    color: str
    labels: list[str]
    role: str
    pinned: bool
    archived: bool
    trashed: bool
    created_at: datetime
    updated_at: datetime


def exported_notes(user: User, **filters: Any) -> Iterator[ExportedNote]:
    """Yield the notes that ``user`` sees, oldest first; two queries for each batch."""
    memberships = Membership.objects.visible_to(user).filter(**filters).order_by("note_id")
    last = 0
    while True:
        batch = list(memberships.filter(note_id__gt=last).select_related("note").defer("note__search_text")[:BATCH])
        labels = _label_names([membership.pk for membership in batch])
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


def _label_names(membership_ids: list[int]) -> dict[int, list[str]]:
    pairs = MembershipLabel.objects.filter(membership_id__in=membership_ids).order_by("label__folded", "label_id")
    names: dict[int, list[str]] = {}
    for membership_id, name in pairs.values_list("membership_id", "label__name"):
        names.setdefault(membership_id, []).append(name)
    return names


def write_zip(user: User, file_format: str, file: IO[bytes]) -> None:
    """Write a zip with the notes that ``user`` owns. ``file_format`` is a key of FORMATS."""
    suffix, render = FORMATS[file_format]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for note in exported_notes(user, role=Role.OWNER):
            # The zip format has no dates before 1980 or after 2107.
            date: Any = (min(max(note["updated_at"].year, 1980), 2107), *note["updated_at"].timetuple()[1:6])
            entry = zipfile.ZipInfo(f"{file_stem(note)}{suffix}", date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, render(note))


def file_stem(note: ExportedNote) -> str:
    """Return a unique path without suffix that is valid on every file system."""
    title = " ".join(re.sub(r"[^\w\s-]", " ", note["title"]).split())[:60].strip()
    return f"Takeout/Keep/{title or 'Note'} {note['id']}"


def format_markdown(note: ExportedNote) -> bytes:
    """Return the note as Markdown: YAML front matter, a heading, the body and a task list."""
    lines = ["---", f"created: {note['created_at'].isoformat()}", f"updated: {note['updated_at'].isoformat()}"]
    lines += [f"color: {note['color']}" if not note["color"].startswith("#") else f'color: "{note["color"]}"']
    states = {"pinned": note["pinned"], "archived": note["archived"], "trashed": note["trashed"]}
    lines += [f"{name}: true" for name, value in states.items() if value]
    if note["labels"]:
        lines += ["tags:", *(f"  - {_yaml_string(name)}" for name in note["labels"])]
    lines += ["---", ""]
    if note["title"]:
        lines += [f"# {' '.join(note['title'].split())}", ""]
    if note["body"]:
        lines += [note["body"], ""]
    lines += [f"- [{'x' if item['checked'] else ' '}] {' '.join(item['text'].split())}" for item in note["items"]]
    return ("\n".join(lines).rstrip() + "\n").encode()


def _yaml_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


FORMATS: dict[str, tuple[str, Callable[[ExportedNote], bytes]]] = {
    "json": (".json", format_note),
    "markdown": (".md", format_markdown),
}
