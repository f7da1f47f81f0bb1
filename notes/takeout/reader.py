"""Read the notes of a Google Keep archive in batches."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field

from .archive import BadArchive, is_in_keep_folder, read_entry
from .keep import KeepNote, NotANote, parse_note


@dataclass
class Batch:
    """``count`` files were read: ``notes`` are the valid notes, ``rejected`` and ``ignored`` count the others."""

    count: int = 0
    rejected: int = 0
    ignored: int = 0
    notes: list[KeepNote] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)


def read_batch(archive: zipfile.ZipFile, entries: Iterable[zipfile.ZipInfo], max_bytes: int) -> Batch:
    """Read ``entries`` until they have ``max_bytes`` unpacked.

    In a folder of Keep, a file that is not a note is rejected. Elsewhere it belongs to another product and is ignored.
    """
    batch, size = Batch(), 0
    for entry in entries:
        if size >= max_bytes:
            break
        batch.count += 1
        try:
            content = read_entry(archive, entry)
            size += len(content)
            note = parse_note(content)
        except (NotANote, BadArchive) as error:
            if error.code in ("not_a_note", "too_large") and not is_in_keep_folder(entry):
                batch.ignored += 1
                continue
            batch.rejected += 1
            batch.problems.append(problem(entry.filename, error.code, str(error)))
        else:
            note.file = entry.filename
            batch.notes.append(note)
            batch.problems += [problem(entry.filename, code, detail) for code, detail in note.left_out]
    return batch


def problem(file: str, code: str, detail: str) -> dict[str, str]:
    """Return one entry of an import's ``problems``. A file's name, and parts of ``detail``, are from the archive."""
    return {"file": _printable(file)[-200:], "code": code, "detail": _printable(detail)}


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
