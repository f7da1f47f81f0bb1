"""Builds workbooks with the quirks of real programs, part by part."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = "http://purl.oclc.org/ooxml/officeDocument/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"


@dataclass(frozen=True)
class Value:
    """A cell as XML: its type, its formula and its value; ``text`` is placed as the quirks say."""

    text: str | None = None
    kind: str = "n"
    value: str | None = None
    formula: str | None = None


@dataclass(frozen=True)
class Quirks:
    names: str = "plain"  # or backslashes, upper, slash, percent
    targets: str = "plain"  # or absolute, dotted, percent, padded, fragment
    main: str = "xl/workbook.xml"
    clutter: bool = False
    twin: bool = False
    prefix_bytes: bytes = b""
    state: str = "visible"
    before: tuple[str, ...] = ()  # sheets in front of the one to import: hidden, veryHidden, chart
    dimension: str | None = None
    namespace: str = ""
    strings: str = "inline"  # or shared, rich, str
    references: str = "plain"  # or none, dollars, lower
    numbers: str = "plain"  # or none, backwards
    encoding: str = "utf-8"
    indent: str = ""
    embedded: bool = False
    strict: bool = False
    style: bool = False


PLAIN = Quirks()


def workbook(rows: Sequence[Sequence[Value | str]], quirks: Quirks = PLAIN) -> bytes:
    """Return a workbook with these rows; a text is a cell with this text, an empty text is no cell."""
    strings: list[str] = []
    sheet = _sheet(rows, quirks, strings)
    office = STRICT if quirks.strict else OFFICE
    folder, _, base = quirks.main.rpartition("/")
    relations = [("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "sharedStrings", "sharedStrings.xml")]
    sheets = ""
    for number, state in enumerate(quirks.before, 10):
        kind, part = ("chartsheet", "chartsheets") if state == "chart" else ("worksheet", "worksheets")
        relations.append((f"rId{number}", kind, f"{part}/other{number}.xml"))
        hidden = "" if state == "chart" else f' state="{state}"'
        sheets += f'<sheet name="Other {number}" sheetId="{number}"{hidden} r:id="rId{number}"/>'
    sheets += f'<sheet name="People" sheetId="1" state="{quirks.state}" r:id="rId1"/>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{quirks.main}" ContentType="{KIND}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELS}"><Relationship Id="rId1" Type="{office}/officeDocument" '
        f'Target="{_target(quirks.main, "", quirks)}"/></Relationships>',
        quirks.main: f'<workbook xmlns="{MAIN}" xmlns:r="{office}"><sheets>{sheets}</sheets></workbook>',
        f"{folder}/_rels/{base}.rels": f'<Relationships xmlns="{RELS}">'
        + "".join(
            f'<Relationship Id="{number}" Type="{office}/{kind}" Target="{_target(target, folder, quirks)}"/>'
            for number, kind, target in relations
        )
        + "</Relationships>",
        f"{folder}/worksheets/sheet1.xml": sheet,
        f"{folder}/sharedStrings.xml": f'<sst xmlns="{MAIN}">{"".join(strings)}</sst>',
    }
    for number, state in enumerate(quirks.before, 10):
        part = "chartsheets" if state == "chart" else "worksheets"
        parts[f"{folder}/{part}/other{number}.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>'
    return _zipped(parts, quirks)


def _zipped(parts: dict[str, str], quirks: Quirks) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if quirks.clutter:
            archive.writestr("__MACOSX/xl/._workbook.xml", b"\x00\x05\x16\x07")
            archive.writestr("xl/._workbook.xml", b"\x00\x05\x16\x07")
            archive.writestr("xl/", b"")
        if quirks.embedded:
            archive.writestr("xl/embeddings/book.xlsm", b"PK\x03\x04not a workbook")
            archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
        for name, text in parts.items():
            content = f'<?xml version="1.0" encoding="{quirks.encoding.removesuffix("-sig")}"?>\n{text}'.encode(
                quirks.encoding
            )
            if quirks.twin and name.endswith("sheet1.xml"):
                archive.writestr(name, b"<worksheet/>")
            archive.writestr(zipfile.ZipInfo(_entry(name, quirks)), content)
    return quirks.prefix_bytes + buffer.getvalue()


def _entry(name: str, quirks: Quirks) -> str:
    return {
        "plain": name,
        "backslashes": name.replace("/", "\\"),
        "upper": name.upper(),
        "slash": f"/{name}",
        "percent": name.replace("s", "%73"),
    }[quirks.names]


def _target(target: str, folder: str, quirks: Quirks) -> str:
    absolute = f"/{folder}/{target}" if folder else f"/{target}"
    if quirks.targets == "dotted":
        return f"./nowhere/../{target}"
    if quirks.targets == "percent":
        return target.replace("e", "%65")
    if quirks.targets == "padded":
        return f"\n {target} "
    if quirks.targets == "fragment":
        return f"{target}#A1"
    return absolute if quirks.targets == "absolute" else target


def _sheet(rows: Sequence[Sequence[Value | str]], quirks: Quirks, strings: list[str]) -> str:
    ns = f"{quirks.namespace}:" if quirks.namespace else ""
    declaration = f"xmlns:{quirks.namespace}" if ns else "xmlns"
    text = f'<{ns}worksheet {declaration}="{MAIN}">'
    if quirks.dimension is not None:
        text += f"<{ns}dimension ref={quoteattr(quirks.dimension)}/>"
    text += f"<{ns}sheetData>{quirks.indent}"
    for number, row in enumerate(rows, 1):
        shown = {"plain": f' r="{number}"', "none": "", "backwards": f' r="{max(5 - number, 1)}"'}[quirks.numbers]
        text += f"<{ns}row{shown}>{quirks.indent}"
        for place, cell in enumerate(row):
            text += _cell(cell, number, place, quirks, strings, ns) + quirks.indent
        text += f"</{ns}row>{quirks.indent}"
    return f"{text}</{ns}sheetData></{ns}worksheet>"


def _cell(cell: Value | str, row: int, place: int, quirks: Quirks, strings: list[str], ns: str) -> str:
    value = Value(cell) if isinstance(cell, str) else cell
    letter = chr(65 + place)
    references = {"plain": f"{letter}{row}", "dollars": f"${letter}${row}", "lower": f"{letter.lower()}{row}"}
    shown = f' r="{references[quirks.references]}"' if quirks.references != "none" else ""
    shown += ' s="7"' if quirks.style else ""
    if value.text is None:
        formula = "" if value.formula is None else f"<{ns}f>{escape(value.formula)}</{ns}f>"
        content = "" if value.value is None else f"<{ns}v>{quirks.indent}{escape(value.value)}{quirks.indent}</{ns}v>"
        kind = "" if value.kind == "n" else f' t="{value.kind}"'
        return f"<{ns}c{shown}{kind}>{quirks.indent}{formula}{content}</{ns}c>"
    if not value.text:
        return "" if quirks.references != "none" else f"<{ns}c{shown}/>"
    text = escape(value.text)
    if quirks.strings == "str":
        return f'<{ns}c{shown} t="str"><{ns}v>{text}</{ns}v></{ns}c>'
    whole = f'<{ns}t xml:space="preserve">{text}</{ns}t>'
    if quirks.strings == "inline":
        return f'<{ns}c{shown} t="inlineStr"><{ns}is>{whole}</{ns}is></{ns}c>'
    if quirks.strings == "rich":
        half = len(value.text) // 2
        runs = "".join(
            f'<{ns}r><{ns}rPr/><{ns}t xml:space="preserve">{escape(part)}</{ns}t></{ns}r>'
            for part in (value.text[:half], value.text[half:])
        )
        phonetic = f'<{ns}rPh sb="0" eb="1"><{ns}t>reading</{ns}t></{ns}rPh>'
        return f'<{ns}c{shown} t="inlineStr"><{ns}is>{runs}{phonetic}</{ns}is></{ns}c>'
    strings.append(f'<si><t xml:space="preserve">{text}</t><rPh sb="0" eb="1"><t>reading</t></rPh></si>')
    return f'<{ns}c{shown} t="s"><{ns}v>{quirks.indent}{len(strings) - 1}{quirks.indent}</{ns}v></{ns}c>'
