"""Whom somebody writes with, found in their most recent messages."""

from typing import Any

from django.db import connection
from django.db.models import Count

from accounts.models import User

from . import people
from .models import MessageRecipient

SCANNED = 500  # messages sent, and as many received, that are looked at for one answer

# The newest message with each person, of the newest SCANNED rows on either side.
_SQL = """
WITH received AS (
    -- Direct messages and broadcasts are two ranges of one index.
    SELECT r.message_id, r.sender_id AS peer_id
    FROM (VALUES (false), (true)) AS kind (broadcast)
    CROSS JOIN LATERAL (
        SELECT message_id, sender_id FROM messaging_messagerecipient
        WHERE recipient_id = %(user)s AND broadcast = kind.broadcast AND NOT withheld AND message_id < %(before)s
        ORDER BY message_id DESC LIMIT %(limit)s
    ) r
    ORDER BY r.message_id DESC LIMIT %(limit)s
), sent AS (
    SELECT id FROM messaging_message
    WHERE sender_id = %(user)s AND NOT broadcast AND id < %(before)s
    ORDER BY id DESC LIMIT %(limit)s
), floor AS (
    -- Below the end of either list the other knows more: what lies there is for the next answer.
    SELECT greatest(
        (SELECT CASE WHEN count(*) = %(limit)s THEN min(message_id) END FROM received),
        (SELECT CASE WHEN count(*) = %(limit)s THEN min(id) END FROM sent)
    ) AS id
), pairs AS (
    SELECT message_id, peer_id FROM received WHERE peer_id IS NOT NULL
    UNION
    SELECT r.message_id, r.recipient_id FROM sent JOIN messaging_messagerecipient r ON r.message_id = sent.id
), newest AS (
    SELECT peer_id, max(message_id) AS message_id FROM pairs, floor
    WHERE floor.id IS NULL OR message_id >= floor.id GROUP BY peer_id
)
SELECT n.peer_id, m.id, m.sender_id = %(user)s, left(m.body, 200), m.broadcast, m.created_at, m.deleted_at, floor.id
FROM floor LEFT JOIN newest n ON true LEFT JOIN messaging_message m ON m.id = n.message_id
ORDER BY m.id DESC
"""


def recent(user: User, *, before: int | None = None) -> dict[str, Any]:
    """The conversations of ``user`` with a message below ``before``, newest first, and where older ones begin."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"user": user.pk, "before": 2**63 - 1 if before is None else before, "limit": SCANNED})
        rows = cursor.fetchall()
    cards = people.cards(row[0] for row in rows)
    unread = dict(
        MessageRecipient.objects.unread_by(user)
        .filter(sender__in=list(cards))
        .values_list("sender")
        .annotate(count=Count("pk"))
    )
    return {
        "next_before": rows[0][7],
        "results": [
            {
                "person": cards[peer_id],
                "last_message": {
                    "id": message_id,
                    "mine": bool(mine),
                    "body": body,
                    "broadcast": broadcast,
                    "created_at": created_at,
                    "deleted_at": deleted_at,
                },
                "unread": unread.get(peer_id, 0),
            }
            for peer_id, message_id, mine, body, broadcast, created_at, deleted_at, _ in rows
            if peer_id in cards
        ],
    }
