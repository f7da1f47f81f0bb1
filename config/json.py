"""JSON encoding with orjson."""

from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework.utils.encoders import JSONEncoder

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_fallback = JSONEncoder().default


def _default(value: Any) -> Any:
    return str(value) if isinstance(value, (str, Promise)) else _fallback(value)


def dumps(data: Any) -> bytes:
    """Encode ``data`` as UTF-8 JSON; datetimes become ISO 8601 with ``Z``, other types as in DRF's encoder."""
    return orjson.dumps(data, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def dumps_sorted(data: Any) -> bytes:
    """Encode ``data`` with sorted keys, so that equal objects have equal bytes."""
    return orjson.dumps(
        data, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
    )
