"""Open zip files from untrusted users.

Entries are read one by one into memory with a limit, so the sizes that headers claim do not matter. No file is ever
written under a name from an archive.
"""

import struct
import zipfile
from pathlib import PurePosixPath
from typing import IO

MAX_DIRECTORY = 16 * 2**20  # bytes of the central directory
MAX_ENTRIES = 100_000
KEEP_FOLDERS = ("keep", "google keep")
MAX_NOTE = 8 * 2**20  # bytes of one unpacked note: the longest body and all items fit
MAX_NOTES_TOTAL = 512 * 2**20

SUPPORTED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
CHOOSE_ZIP = "In Google Takeout, choose Keep and the file type .zip, and upload that file as it is."
# The first bytes of other files that people upload, and what they are.
OTHER_FORMATS = {
    b"\x1f\x8b": "a .tgz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"{": "a single JSON file",
    b"[": "a single JSON file",
    b"\xef\xbb\xbf{": "a single JSON file",
    b"<": "a single HTML file",
}

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


class BadArchive(Exception):
    """The archive is refused. ``code`` is the API's error code, the text its detail."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def open_archive(
    file: IO[bytes], *, max_directory: int = MAX_DIRECTORY, max_entries: int = MAX_ENTRIES
) -> zipfile.ZipFile:
    """Open the archive after checking its central directory. Raises BadArchive."""
    if _directory_size(file) > max_directory:
        raise _unsafe(f"it contains more than {max_entries:,} files")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise _not_zip(file) from error
    entries = archive.infolist()
    if len(entries) > max_entries:
        raise _unsafe(f"it contains more than {max_entries:,} files")
    # Overlapping entries are how a small zip bomb unpacks to petabytes.
    if sum(entry.compress_size for entry in entries) > file.seek(0, 2):
        raise _unsafe("its files overlap")
    if sum(entry.file_size for entry in note_entries(archive) if entry.file_size <= MAX_NOTE) > MAX_NOTES_TOTAL:
        raise _unsafe("its notes are too large")
    for entry in entries:
        _check_entry(entry)
    if any(entry.compress_type not in SUPPORTED for entry in note_entries(archive)):
        raise BadArchive("unsupported_compression", f"The archive uses an unsupported compression. {CHOOSE_ZIP}")
    return archive


def note_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries that may be notes, always in the same order; two entries can have the same name.

    These are the JSON files in a folder of Keep, or all JSON files if there is no such folder: an archive can contain
    other products of Takeout. What macOS adds to archives is left out.
    """
    entries = [entry for entry in archive.infolist() if _is_json(entry)]
    in_keep = [entry for entry in entries if is_in_keep_folder(entry)]
    return sorted(in_keep or entries, key=lambda entry: (entry.filename, entry.header_offset))


def is_in_keep_folder(entry: zipfile.ZipInfo) -> bool:
    """Return whether one of the entry's folders is Takeout's folder for Keep."""
    return any(folder.casefold() in KEEP_FOLDERS for folder in PurePosixPath(entry.filename).parts[:-1])


def _is_json(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    from_macos = path.name.startswith("._") or "__MACOSX" in path.parts
    return not entry.is_dir() and path.suffix.lower() == ".json" and not from_macos


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\x00" in name or name[1:2] == ":":
        raise _unsafe("a file name in it points outside the archive")
    if entry.flag_bits & 0x1:
        raise BadArchive("encrypted", "The archive is password-protected. Upload it without a password.")


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the unpacked entry. Raises BadArchive if it is damaged or larger than MAX_NOTE."""
    if entry.file_size > MAX_NOTE:
        raise _too_large()
    try:
        with archive.open(entry) as content:
            data = content.read(MAX_NOTE + 1)
    except Exception as error:  # zlib, lzma and zipfile each raise their own exceptions for damaged data
        raise BadArchive("broken", "This file in the archive is damaged.") from error
    if len(data) > MAX_NOTE:
        raise _too_large()
    return data


def _directory_size(file: IO[bytes]) -> int:
    """Return the size of the central directory in bytes, before zipfile loads all of it into memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        raise _not_zip(file)
    length = struct.unpack_from("<L", tail, at + 12)[0]
    if at >= 20 and tail[at - 20 : at - 16] == LOCATOR64:
        file.seek(max(0, size - len(tail) + at - 20 - 56))
        record = file.read(56)
        if record[:4] != END64:
            raise _not_zip(file)
        length = struct.unpack_from("<Q", record, 40)[0]
    return length


def _not_zip(file: IO[bytes]) -> BadArchive:
    file.seek(0)
    start = file.read(8)
    for magic, name in OTHER_FORMATS.items():
        if start.startswith(magic):
            return BadArchive("not_zip", f"This is {name}, not a zip archive. {CHOOSE_ZIP}")
    return BadArchive("not_zip", f"This file is not a zip archive, or it is damaged. {CHOOSE_ZIP}")


def _too_large() -> BadArchive:
    return BadArchive("too_large", f"This file is larger than {MAX_NOTE // 2**20} MB, too large for a note.")


def _unsafe(reason: str) -> BadArchive:
    return BadArchive("unsafe_file", f"The archive cannot be imported: {reason}.")
