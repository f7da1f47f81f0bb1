"""Stores deliveries in the transaction of the change that they report.

Every function is one statement. It finds the webhooks by an index, and inserts nothing if nobody has one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.utils import timezone

from config.db.fields import id_array
from config.jobs.enqueue import enqueue
from config.json import dumps

from .models import MAX_BODY, WebhookDelivery

_INSERT = """
INSERT INTO config_webhookdelivery (webhook_id, kind, type, body, attempts, error)
SELECT id, %s, %s, %s, 0, '' FROM config_webhook WHERE active AND %s = ANY(kinds)
"""

_INSERT_MANY = """
INSERT INTO config_webhookdelivery (webhook_id, kind, type, body, attempts, error)
SELECT w.id, %s, %s, x.body, 0, ''
FROM unnest(%s::bigint[], %s::text[]) AS x (owner_id, body)
JOIN config_webhook w ON w.owner_id = x.owner_id AND w.active AND %s = ANY(w.kinds)
"""

# Part of a statement that inserts a row, so that the deliveries need no round trip. {id} is the SQL for the row's id,
# {rows} is where it comes from, and the parameters are delivery_parameters(). The caller calls `enqueue`, or leaves it
# to the sweep, which sends the deliveries within 3 s.
DELIVER_ROW = """
INSERT INTO config_webhookdelivery (webhook_id, kind, type, body, attempts, error)
SELECT webhook.id, %s::text, %s::text, %s::text || {id} || '}}}}', 0, '' FROM {rows}, config_webhook AS webhook
WHERE webhook.active AND webhook.owner_id = ANY(%s::bigint[]) AND %s = ANY(webhook.kinds)
"""


def publish(user_ids: Iterable[int], kind: str, type: str, data: Mapping[str, Any]) -> None:
    """Store a delivery for each active webhook of ``user_ids`` for ``kind``, and send it after the commit.

    ``type`` says what happened, such as ``message.sent``. ``data`` contains ids and no content.
    """
    if users := set(user_ids):
        _insert(" AND owner_id = ANY(%s::bigint[])", kind, type, data, id_array(users))


def publish_pairs(pairs: Iterable[tuple[int, int]], kind: str, type: str) -> None:
    """Do the same for pairs of an object's id and a user who sees it, in one statement for all."""
    if not (ordered := sorted(pairs)):
        return
    bodies = {object_id: body(type, {"id": object_id}) for object_id, _ in ordered}
    users, texts = id_array(user_id for _, user_id in ordered), [bodies[object_id] for object_id, _ in ordered]
    _execute(_INSERT_MANY, [kind, type, users, texts, kind])


def publish_to_all(kind: str, type: str, data: Mapping[str, Any]) -> None:
    """Store a delivery for each active webhook for ``kind``: for changes of public data."""
    _insert("", kind, type, data)


def body(type: str, data: Mapping[str, Any]) -> str:
    """Return the JSON of a delivery: ``{type, timestamp, data}``; raises ValueError if it is too large."""
    encoded = dumps({"type": type, "timestamp": timezone.now(), "data": data})
    if len(encoded) > MAX_BODY:
        raise ValueError(f"A delivery has at most {MAX_BODY} bytes. Send ids instead of contents.")
    return encoded.decode()


def delivery_parameters(kind: str, type: str, user_ids: str) -> list[Any]:
    """Return the parameters of DELIVER_ROW for the webhooks of ``user_ids`` (an ``id_array``); ``data`` is the id."""
    start = body(type, {"id": 0}).removesuffix("0}}")
    return [kind, type, start, user_ids, kind]


def _insert(condition: str, kind: str, type: str, data: Mapping[str, Any], *parameters: Any) -> None:
    _execute(_INSERT + condition, [kind, type, body(type, data), kind, *parameters])


def _execute(sql: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if cursor.rowcount:
            enqueue(WebhookDelivery)
