"""``Idempotency-Key``: a request repeated under the same key gets the first answer again, and nothing is done twice.

After the IETF draft "The Idempotency-Key HTTP Header Field". The key is a row, unique in the database, written in the
transaction of the work itself: of twenty concurrent requests one inserts it and the others wait for that transaction's
end; a request that fails leaves no key behind.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from .codecs import dumps
from .errors import Unprocessable, attr_error
from .models import IdempotencyKey

KEPT = timedelta(days=1)
HEADER = "Idempotency-Key"


class KeyReused(Unprocessable):
    default_detail = "This Idempotency-Key was used before for a request with other content. Take a new key."
    default_code = "idempotency_key_reused"


def key_of(request: Request) -> str | None:
    """The request's key, or None without one; raises a validation error for one that is no key."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise attr_error(HEADER, "A key is 1 to 255 printable ASCII characters, such as a UUID.")
    return key


def fingerprint(request: Request) -> bytes:
    """SHA-256 of what the request asks for: its data, with an uploaded file counted by its content."""
    digest = hashlib.sha256()
    data = request.data
    items = sorted(data.lists()) if hasattr(data, "lists") else [("", data)]
    for name, value in items:
        digest.update(dumps([name, [_content(entry) for entry in value] if isinstance(value, list) else value]))
    return digest.digest()


def _content(value: object) -> object:
    if not hasattr(value, "chunks"):
        return value
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)  # type: ignore[attr-defined]
    return [value.name, digest.hexdigest()]  # type: ignore[attr-defined]


def once(request: Request, action: Callable[[], Response]) -> Response | HttpResponse:
    """Run ``action`` in a transaction, or give the answer again that the request's key got first.

    Raises KeyReused where the key stands for other content. What ``action`` raises is raised, and the key stays free.
    """
    key = key_of(request)
    if key is None:
        with transaction.atomic():
            return action()
    asked = fingerprint(request)
    where = {"user_id": request.user.pk, "endpoint": f"{request.method} {request.path}"[:200], "key": key}
    with transaction.atomic():
        # A concurrent request with this key makes the insert wait for that one's commit, and then insert nothing.
        record, created = IdempotencyKey.objects.get_or_create(**where, defaults={"fingerprint": asked})
        if created:
            response = action()
            IdempotencyKey.objects.filter(pk=record.pk).update(
                status=response.status_code, body=b"" if response.data is None else dumps(response.data)
            )
            return response
    if bytes(record.fingerprint) != asked:
        raise KeyReused
    replay = HttpResponse(bytes(record.body), status=record.status, content_type="application/json")
    replay["Idempotent-Replayed"] = "true"
    return replay


def forget_expired() -> int:
    """Delete keys older than a day and return how many."""
    return IdempotencyKey.objects.filter(created_at__lt=Now() - KEPT).delete()[0]
