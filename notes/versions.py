"""``ETag`` and ``If-Match`` of a note that is partly everybody's and partly the caller's own.

The tag is ``"<version>-<digest of the answer>"``. ``If-None-Match`` compares all of it, so that a client sees its pins
and labels change. ``If-Match`` compares the version alone: it protects what everybody shares, and nobody's pin is in
the way of another's change. A bare ``"<version>"`` is good for ``If-Match`` too.
"""

import hashlib
import re

import orjson
from django.http import HttpRequest
from rest_framework.request import Request


def etag(body: bytes) -> str:
    """The tag of a note's JSON."""
    return f'"{orjson.loads(body)["version"]}-{hashlib.blake2b(body, digest_size=6).hexdigest()}"'


def asked_for(request: Request | HttpRequest) -> frozenset[int] | None:
    """The versions ``If-Match`` allows: None without it or with ``*``, an empty set where it names no version."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    return frozenset(int(found) for found in re.findall(r'(?:^|,)\s*(?:W/)?"?(\d{1,18})(?:-\w+)?"?\s*(?=,|$)', header))
