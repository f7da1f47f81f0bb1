"""JSON request parser and response renderer: strict syntax, limited nesting and size."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from config.json import dumps
from config.text import MAX_MARKS, has_long_mark_run

MAX_DEPTH = 100  # arrays and objects inside each other


class JSONParser(BaseParser):
    """Parse JSON; NaN, lone surrogates and nesting beyond ``MAX_DEPTH`` levels are 400.

    A text with a long run of combining marks is 400 ``too_many_marks``, before anything normalizes it.

    A body above ``DATA_UPLOAD_MAX_MEMORY_SIZE`` is 413: REST framework does not use ``request.body``, where Django
    checks the limit.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"Invalid JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            _refuse_deep_nesting(data)
        # Marks are not ASCII, but an ASCII body can escape them.
        if not body.isascii() or b"\\u" in body:
            _refuse_long_mark_runs(data)
        return data


def _refuse_deep_nesting(data: Any) -> None:
    """Refuse what Python's ``str`` and recursive functions cannot process."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        nested = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = list(chain.from_iterable(nested))
    if level:
        raise ParseError(f"Invalid JSON: more than {MAX_DEPTH} levels of nesting.")


def _refuse_long_mark_runs(data: Any) -> None:
    detail = f"Enter at most {MAX_MARKS} combining marks in a row."
    if errors := {path: [detail] for path, text in _texts(data) if has_long_mark_run(text)}:
        raise ValidationError(errors, "too_many_marks")


def _texts(data: Any) -> Iterator[tuple[str, str]]:
    """Yield every text in ``data`` with its path, such as ``items.0.text``."""
    pending: list[tuple[str, Any]] = [("", data)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            yield path or "non_field_errors", value
        elif isinstance(value, dict):
            pending += [(f"{path}.{key}".lstrip("."), each) for key, each in value.items()]
        elif isinstance(value, list):
            pending += [(f"{path}.{index}".lstrip("."), each) for index, each in enumerate(value)]


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dumps(data)


class LenientNegotiation(DefaultContentNegotiation):
    """Return JSON for any ``Accept`` header, because JSON is more useful to a client than a 406."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
