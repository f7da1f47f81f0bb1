"""JSON in and out, by orjson: strict about what is not JSON, and bounded in depth where ``json`` recurses."""

from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.functional import Promise
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

_fallback = JSONEncoder().default


def _default(value: Any) -> Any:
    return str(value) if isinstance(value, (str, Promise)) else _fallback(value)


def dumps(data: Any) -> bytes:
    """``data`` as UTF-8 JSON: datetimes in ISO 8601 with ``Z``, and whatever else DRF's own encoder knows."""
    return orjson.dumps(data, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


class JSONParser(BaseParser):
    """Refuses NaN, lone surrogates and nesting beyond 1,024 levels with a 400 that says where.

    More than ``DATA_UPLOAD_MAX_MEMORY_SIZE`` is 413 and not read: Django's own check of that limit is in
    ``request.body``, which the API framework passes by.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(
                f"This is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from error


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dumps(data)


class LenientNegotiation(DefaultContentNegotiation):
    """Answers JSON to any ``Accept``: a client that asks for something else is better served by it than by a 406."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
