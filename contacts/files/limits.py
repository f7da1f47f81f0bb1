"""The limits of a file, and the error that every module here raises."""

from dataclasses import dataclass

MAX_PARTS = 20_000
MAX_RATIO = 300  # unpacked to packed size of a part; that of normal sheets is below 100
RATIO_FROM = 8 * 1024 * 1024  # bytes unpacked; the ratio of smaller parts is not checked
MAX_SMALL_PART = 4 * 1024 * 1024  # bytes unpacked of a part that only describes the workbook


@dataclass(frozen=True, slots=True)
class Limits:
    max_rows: int
    max_unzipped: int  # bytes of all parts that are read


class InvalidSheet(Exception):
    """The file cannot be imported: ``code`` for programs, ``detail`` for people, ``cause`` for the log.

    ``attr`` is the field of the request that is wrong, such as ``file`` or ``mapping.name``.
    """

    def __init__(self, code: str, detail: str, cause: str = "", attr: str = "file") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.cause = cause
        self.attr = attr
