"""Google Keep archives to test with."""

import io
import zipfile
from typing import Any

import orjson
from django.core.files.uploadedfile import SimpleUploadedFile


def keep_note(**changes: Any) -> dict[str, Any]:
    """Return a note as Google Keep writes it."""
    return {
        "color": "DEFAULT",
        "isTrashed": False,
        "isPinned": False,
        "isArchived": False,
        "textContent": "",
        "title": "",
        "userEditedTimestampUsec": 1_700_000_000_123_456,
        "createdTimestampUsec": 1_690_000_000_654_321,
        "textContentHtml": "<p></p>",
        **changes,
    }


def zip_of(files: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, (bytes, str)) else orjson.dumps(content))
    return buffer.getvalue()


def upload(content: bytes, name: str = "takeout.zip") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="application/zip")


TAKEOUT = {
    "Takeout/Keep/Groceries.json": keep_note(
        title="Groceries",
        listContent=[{"text": "Oranges", "isChecked": False}, {"text": "Bread", "isChecked": True}],
        labels=[{"name": "Home"}, {"name": "Food"}],
        color="YELLOW",
        isPinned=True,
    ),
    "Takeout/Keep/Groceries.html": "<html></html>",
    "Takeout/Keep/Idea.json": keep_note(
        textContent="Build a house\nof five rooms", isArchived=True, createdTimestampUsec=1
    ),
    "Takeout/Keep/Old.json": keep_note(title="Old", isTrashed=True, labels=[{"name": "home"}]),
    "Takeout/Keep/photo.jpg": b"\xff\xd8\xff",
    "Takeout/Keep/Labels.txt": "Home\nFood\n",
    "Takeout/archive_browser.html": "<html></html>",
}
