"""Zip files from strangers: looked over before anything in them is unpacked.

Nothing is ever written under a name that an archive chose; entries are read one by one into memory, each up to a limit,
so what a header claims about sizes is not believed.
"""

import struct
import zipfile
from pathlib import PurePosixPath
from typing import IO

MAX_DIRECTORY = 16 * 2**20  # bytes of the table of contents
MAX_ENTRIES = 100_000
MAX_NOTE = 4 * 2**20  # bytes of one unpacked note: 100,000 characters and 500 items fit, however they are escaped
MAX_NOTES_TOTAL = 512 * 2**20
MAX_RATIO = 200  # unpacked to packed, for entries beyond MAX_NOTE: photos and sounds are packed already

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


class BadArchive(Exception):
    """The archive is refused; ``code`` for programs, the text for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def open_checked(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive in ``file``, once its table of contents is known to be harmless; raises BadArchive."""
    if _directory_size(file) > MAX_DIRECTORY:
        raise _unsafe(f"it lists more than {MAX_ENTRIES:,} files")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise _not_zip() from error
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise _unsafe(f"it lists more than {MAX_ENTRIES:,} files")
    # Entries that share their bytes are how a small file claims to hold petabytes.
    if sum(entry.compress_size for entry in entries) > file.seek(0, 2):
        raise _unsafe("its files overlap")
    if sum(entry.file_size for entry in entries if is_json(entry)) > MAX_NOTES_TOTAL:
        raise _unsafe("its notes are too large")
    for entry in entries:
        _check(entry)
    return archive


def _check(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\x00" in name or name[1:2] == ":":
        raise _unsafe("a file in it has a name that leads outside")
    if entry.flag_bits & 0x1:
        raise BadArchive("encrypted", "The archive is protected by a password. Upload it without one.")
    if entry.file_size > MAX_NOTE and (is_json(entry) or entry.file_size > MAX_RATIO * max(entry.compress_size, 1)):
        raise _unsafe("a file in it unpacks to far more than a note")


def is_json(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and entry.filename.lower().endswith(".json")


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """The unpacked entry; raises BadArchive where it is broken, or longer than a note may be."""
    try:
        with archive.open(name) as entry:
            data = entry.read(MAX_NOTE + 1)
    except Exception as error:  # zlib's, lzma's and zipfile's own: the bytes are not what the table of contents says
        raise BadArchive("broken", "This file in the archive is damaged.") from error
    if len(data) > MAX_NOTE:
        raise BadArchive("too_large", f"This file unpacks to more than {MAX_NOTE // 2**20} MB.")
    return data


def _directory_size(file: IO[bytes]) -> int:
    """How long the table of contents is, read where zipfile would find it, which loads all of it into memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        raise _not_zip()
    length = struct.unpack_from("<L", tail, at + 12)[0]
    if at >= 20 and tail[at - 20 : at - 16] == LOCATOR64:
        file.seek(max(0, size - len(tail) + at - 20 - 56))
        record = file.read(56)
        if record[:4] != END64:
            raise _not_zip()
        length = struct.unpack_from("<Q", record, 40)[0]
    return length


def _not_zip() -> BadArchive:
    return BadArchive("not_zip", "This is not a zip file, or it is damaged.")


def _unsafe(reason: str) -> BadArchive:
    return BadArchive("unsafe_file", f"The archive is refused: {reason}.")
