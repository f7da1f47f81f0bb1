"""Opens a workbook as an OPC package: one map of its parts, by the rules of ECMA-376 part 2.

Case, backslashes, leading slashes and percent-encoding make no difference between names. Every other module finds parts
only through this map. Parts that no relationship leads to are never opened.
"""

import errno
import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO
from urllib.parse import unquote
from xml.etree.ElementTree import Element
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from .limits import MAX_PARTS, MAX_RATIO, MAX_SMALL_PART, RATIO_FROM, InvalidSheet, Limits

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Excel 2 to 4 wrote no container, and some programs write the records of later versions without one.
OLD_EXCEL = (b"\t\x00\x04\x00", b"\t\x02\x06\x00", b"\t\x04\x06\x00", b"\t\x08\x08\x00", b"\t\x08\x10\x00")
DAMAGED = "The file is damaged or incomplete. Save it again as .xlsx."
ENCODING = "The text encoding of the file is not supported. Save it again as .xlsx."
TOO_LARGE = "The file is too large when it is unpacked."
ENTITIES = "The file declares XML entities, which are not allowed."
PASSWORD = "The file is protected by a password. Save it without one."  # noqa: S105


@contextmanager
def damaged_files() -> Iterator[None]:
    """Turn what zipfile, zlib and the XML parsers raise within the block into InvalidSheet."""
    try:
        yield
    except DefusedXmlException as error:
        raise InvalidSheet("unsafe_file", ENTITIES) from error
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, ExpatError, ParseError, EOFError, LookupError,
        NotImplementedError, OSError, OverflowError, RuntimeError, ValueError,
    ) as error:  # fmt: skip
        if _is_out_of_memory(error):
            raise MemoryError from error
        detail = ENCODING if "encoding" in str(error) else DAMAGED  # expat and Python use this word
        raise InvalidSheet("not_xlsx", detail, repr(error)) from error


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, ExpatError):
        return error.code == 1  # XML_ERROR_NO_MEMORY
    return getattr(error, "errno", None) == errno.ENOMEM or (isinstance(error, zlib.error) and "Error -4" in str(error))


@dataclass(frozen=True, slots=True)
class Relationship:
    """``kind`` is the last segment of the relationship's type, ``target`` a normalized part name."""

    kind: str
    target: str


class Package:
    """The parts of a workbook. The methods raise InvalidSheet."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive = archive
        self._unread = limits.max_unzipped
        entries = archive.infolist()
        if len(entries) > MAX_PARTS:
            raise InvalidSheet("unsafe_file", f"The file has more than {MAX_PARTS:,} parts.")
        # Of two entries with one name the last counts, as in any program that updates zip files.
        self._parts = {part_name(entry.filename): entry for entry in entries if not _is_clutter(entry.filename)}

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def open(self, name: str) -> IO[bytes]:
        """Open a part for reading, if it is small enough."""
        entry = self._parts.get(name)
        if entry is None:
            raise InvalidSheet("not_xlsx", DAMAGED, f"no part {name}")
        if entry.flag_bits & 0x1:
            raise InvalidSheet("not_xlsx", PASSWORD)
        self._unread -= entry.file_size
        if self._unread < 0:
            raise InvalidSheet("unsafe_file", TOO_LARGE)
        if entry.file_size > RATIO_FROM and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise InvalidSheet("unsafe_file", "A part of the file is compressed too strongly for a sheet.")
        return self._archive.open(entry)

    def xml(self, name: str) -> Element:
        """Parse a part that describes the workbook."""
        with damaged_files():
            if name in self and self._parts[name].file_size > MAX_SMALL_PART:
                raise InvalidSheet("unsafe_file", f"The part {name} is too large.")
            with self.open(name) as part:
                return fromstring(part.read())

    def relationships(self, source: str) -> dict[str, Relationship]:
        """Return the relationships of a part (of the package for an empty name) by their id."""
        folder, base = posixpath.split(source)
        name = part_name(posixpath.join(folder, "_rels", f"{base}.rels"))
        found = {}
        for element in self.xml(name) if name in self else ():
            kind = (element.get("Type") or "").rstrip("/").rpartition("/")[2]
            if element.get("TargetMode") != "External":
                target, _, _ = (element.get("Target") or "").replace("\\", "/").partition("#")
                target = posixpath.join(folder, target.strip())
                found[element.get("Id") or ""] = Relationship(kind, part_name(target))
        return found

    def content_type(self, name: str) -> str:
        """Return the declared content type of a part in lower case, or an empty text."""
        default = ""
        for element in self.xml("[content_types].xml"):
            if element.get("PartName") is not None:
                if part_name(element.get("PartName") or "") == name:
                    return (element.get("ContentType") or "").lower()
            elif name.endswith("." + (element.get("Extension") or "").lower()):
                default = (element.get("ContentType") or "").lower()
        return default


def part_name(name: str) -> str:
    """Return the normalized name of a part: ``\\XL\\.\\Work%62ook.xml`` is ``xl/workbook.xml``."""
    return posixpath.normpath("/" + unquote(name).replace("\\", "/")).lstrip("/").lower()


def _is_clutter(name: str) -> bool:
    """Return whether an entry is a folder, or a file that macOS adds when it repacks an archive."""
    parts = name.replace("\\", "/").split("/")
    return not parts[-1] or parts[0] == "__MACOSX" or parts[-1].startswith("._")


def is_package(file: BinaryIO) -> bool:
    """Return whether ``file`` is meant to be a workbook: a zip archive, also a damaged one, or an old Excel file."""
    file.seek(0)
    return file.read(8).startswith((OLE, *OLD_EXCEL, b"PK\x03\x04")) or zipfile.is_zipfile(file)


@contextmanager
def open_package(file: BinaryIO, limits: Limits) -> Iterator[Package]:
    """Open ``file``, whatever it is called; raises InvalidSheet that names the kind of any other file."""
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if not head:
        raise InvalidSheet("not_xlsx", "The file is empty.")
    if head.startswith(OLE) and "EncryptedPackage".encode("utf-16-le") in file.read(4 * 1024 * 1024):
        raise InvalidSheet("not_xlsx", PASSWORD)
    if head.startswith((OLE, *OLD_EXCEL)):
        raise InvalidSheet("not_xlsx", "This is an old Excel file (.xls). Save it as .xlsx.")
    if not zipfile.is_zipfile(file):
        if head.startswith(b"PK"):
            raise InvalidSheet("not_xlsx", DAMAGED)
        raise InvalidSheet("not_xlsx", "This is neither an Excel workbook nor a text file. Save it as .xlsx or .csv.")
    file.seek(0)
    with damaged_files():
        archive = zipfile.ZipFile(file)
    with archive:
        yield Package(archive, limits)
