"""``ETag`` and ``If-Match`` of a note (docs/decisions/note-versions.md).

The tag is ``"<version>-<digest of the response>"``. ``If-None-Match`` compares the whole tag, so a client sees changes
of its own pins and labels. ``If-Match`` compares only the version, which protects the shared content. A tag that is
only ``"<version>"`` is valid for ``If-Match`` too.
"""

import hashlib
import re

import orjson
from django.http import HttpRequest
from rest_framework.request import Request

# Proxies that compress a response change its tag: "3-abc" becomes "3-abc-gzip", "3-abc;br" or W/"3-abc".
_TAG = re.compile(r'(?:^|,)\s*(?:W/)?"?(\d{1,18})(?:-\w+)?(?:[-;:+]+[\w.]+)*"?(?:[-;]\w+)?\s*(?=,|$)')


def note_etag(body: bytes) -> str:
    """Return the ETag of a note's JSON."""
    return f'"{orjson.loads(body)["version"]}-{hashlib.blake2b(body, digest_size=6).hexdigest()}"'


def if_match_versions(request: Request | HttpRequest) -> frozenset[int] | None:
    """Return the versions that ``If-Match`` accepts: None accepts any, an empty set none."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    return frozenset(map(int, _TAG.findall(header)))
