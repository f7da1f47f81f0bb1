"""Finds the sheet to import in a workbook, and the texts that its cells refer to."""

from typing import NamedTuple

from .cells import Cell
from .limits import InvalidSheet
from .package import Package, damaged_files
from .worksheet import read_shared_strings

NOT_A_WORKBOOK = "This is not an Excel workbook. Save it as .xlsx."


class SheetPart(NamedTuple):
    """The sheet to import: its name, its part, the texts of cells of type ``s``, and the names of all such sheets."""

    name: str
    part: str
    strings: list[Cell]
    names: list[str]


def find_sheet(package: Package, name: str = "") -> SheetPart:
    """Return the visible worksheet called ``name``, or the first one; raises InvalidSheet.

    Charts, macro sheets and hidden sheets are skipped.
    """
    main = _main_part(package)
    root = package.xml(main)
    if _local(root.tag) != "workbook":
        raise InvalidSheet("not_xlsx", NOT_A_WORKBOOK)
    relations = package.relationships(main)
    parts: dict[str, str] = {}
    for element in root.iter():
        if _local(element.tag) != "sheet" or element.get("state", "visible") != "visible":
            continue
        ids = (value for attribute, value in element.attrib.items() if _local(attribute) == "id")
        relation = relations.get(next(ids, ""))
        if relation and relation.kind == "worksheet":
            parts.setdefault(element.get("name", ""), relation.target)
    if not parts:
        raise InvalidSheet("not_xlsx", "The workbook has no visible sheet with cells.")
    names = list(parts)
    if name and name not in parts:
        listed = ", ".join(repr(each[:60]) for each in names[:20])
        detail = f"The workbook has no visible sheet {name[:60]!r}. Its sheets are: {listed}."
        raise InvalidSheet("unknown_sheet", detail, attr="sheet")
    chosen = name or names[0]
    strings = next((each.target for each in relations.values() if each.kind == "sharedStrings"), "")
    return SheetPart(chosen, parts[chosen], _shared_strings(package, strings), names)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _main_part(package: Package) -> str:
    if "mimetype" in package and "content.xml" in package:
        raise InvalidSheet("not_xlsx", "This is an OpenDocument file (.ods). Save it as .xlsx.")
    if "[content_types].xml" not in package:
        raise InvalidSheet("not_xlsx", "This is a zip file, but not an Excel workbook. Save it as .xlsx.")
    documents = (each.target for each in package.relationships("").values() if each.kind == "officeDocument")
    main = next(documents, "xl/workbook.xml")
    if main not in package:
        raise InvalidSheet("not_xlsx", NOT_A_WORKBOOK)
    kind = package.content_type(main)
    if "sheet.binary" in kind or main.endswith(".bin"):
        raise InvalidSheet("not_xlsx", "This is a binary workbook (.xlsb). Save it as .xlsx.")
    if "macroenabled" in kind:
        raise InvalidSheet("not_xlsx", "This workbook may contain macros (.xlsm). Save it as .xlsx.")
    return main


def _shared_strings(package: Package, part: str) -> list[Cell]:
    if part not in package:
        return []
    with damaged_files(), package.open(part) as stream:
        return read_shared_strings(stream)
