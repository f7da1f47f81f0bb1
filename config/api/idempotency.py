"""``Idempotency-Key``: a repeated request gets the first response again, and its work is done once.

Follows the IETF draft "The Idempotency-Key HTTP Header Field". The key is a unique row, inserted in the transaction of
the work: concurrent requests with the same key wait for that transaction, and a failed request stores no key.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.core.files import File
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from config.db.batches import delete_batch
from config.json import dumps, dumps_sorted
from config.models import IdempotencyKey

from .errors import Unprocessable, attr_error

RETENTION = timedelta(days=1)
HEADER = "Idempotency-Key"


class KeyReused(Unprocessable):
    default_detail = "This Idempotency-Key was already used for a different request. Use a new key."
    default_code = "idempotency_key_reused"


def get_key(request: Request) -> str | None:
    """Return the request's key, or None; raise a validation error if it is invalid."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise attr_error(HEADER, "A key must be 1 to 255 printable ASCII characters, such as a UUID.")
    return key


def fingerprint(content: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of validated input; an uploaded file counts with its name and content."""
    return hashlib.sha256(dumps_sorted({name: _comparable(value) for name, value in content.items()})).digest()


def _comparable(value: Any) -> Any:
    if not isinstance(value, File):
        return value
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return [value.name, digest.hexdigest()]


def json_answer(body: bytes, status: int) -> HttpResponse:
    """Return a response with this JSON."""
    return HttpResponse(body, content_type="application/json", status=status)


def run_once(
    request: Request,
    content: Mapping[str, Any],
    action: Callable[[], Response | HttpResponse],
    *,
    answer: Callable[[bytes, int], HttpResponse] = json_answer,
) -> Response | HttpResponse:
    """Run ``action``, or replay the first response to the request's key.

    ``action`` calls one atomic service; with a key it runs in the transaction that stores the key. ``content``
    is the validated input. Validate it without the database: what was true for the first request may have changed.
    ``action`` does all checks against stored data. ``answer`` makes the replayed response from the body and the status
    of the first one: name it if the first one has headers of its own, such as an ``ETag``. Raises KeyReused if the key
    was used for other content. If ``action`` raises, the key can be used again.
    """
    key = get_key(request)
    if key is None:
        return action()
    requested = fingerprint(content)
    where = {"user_id": request.user.pk, "endpoint": f"{request.method} {request.path}"[:200], "key": key}
    with transaction.atomic():
        # If a concurrent request holds this key, the insert waits for its commit and then finds the row.
        record, created = IdempotencyKey.objects.get_or_create(**where, defaults={"fingerprint": requested})
        if created:
            response = action()
            IdempotencyKey.objects.filter(pk=record.pk).update(status=response.status_code, body=_body(response))
            return response
    if bytes(record.fingerprint) != requested:
        raise KeyReused
    replay = answer(bytes(record.body), record.status)
    replay["Idempotent-Replayed"] = "true"
    return replay


def _body(response: Response | HttpResponse) -> bytes:
    if not isinstance(response, Response):
        return response.content
    return b"" if response.data is None else dumps(response.data)


def delete_expired_keys() -> int:
    """Delete a batch of keys older than a day; return how many."""
    return delete_batch(IdempotencyKey.objects.filter(created_at__lt=Now() - RETENTION))
