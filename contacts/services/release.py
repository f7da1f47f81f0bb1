"""Releases waiting rows: moves them to Contact once their window has passed, or deletes them and frees their slots."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from ..models import KeyGate, UnprocessedContact
from .notifications import invalidate
from .window import email_gate, lock_window, phone_gate

BATCH = 5000
GATES_EXPIRE = timedelta(hours=1)

# Due rows are checked in the order of their slots. A row is released if no earlier row waits for one of its keys and a
# window has passed since each key was last stored: even after an outage, rows of one key are not all stored at once.
# Any other row is postponed; the earlier row is stored now at the earliest.
_RELEASE = """
WITH due AS MATERIALIZED (
    SELECT waiting.id, waiting.upload_id, waiting.phone_key, waiting.email_key,
           coalesce(greatest(phone.stored_at, email.stored_at) + %(window)s, %(now)s) AS free_at,
           EXISTS (SELECT FROM contacts_unprocessedcontact AS before
                   WHERE waiting.phone_key <> '' AND before.phone_key <> ''
                     AND before.phone_key = waiting.phone_key AND before.id < waiting.id)
           OR EXISTS (SELECT FROM contacts_unprocessedcontact AS before
                      WHERE waiting.email_key <> '' AND before.email_key <> ''
                        AND before.email_key = waiting.email_key AND before.id < waiting.id) AS behind
    FROM contacts_unprocessedcontact AS waiting
    LEFT JOIN contacts_keygate AS phone ON phone.key = 'tel:' || waiting.phone_key
    LEFT JOIN contacts_keygate AS email ON email.key = 'mailto:' || waiting.email_key
    WHERE waiting.due_at <= %(now)s
    ORDER BY waiting.due_at, waiting.id
    LIMIT %(batch)s
), postponed AS (
    UPDATE contacts_unprocessedcontact AS waiting
    SET due_at = greatest(due.free_at, CASE WHEN due.behind THEN %(now)s + %(window)s END)
    FROM due WHERE waiting.id = due.id AND (due.behind OR due.free_at > %(now)s)
    RETURNING waiting.owner_id
), released AS (
    DELETE FROM contacts_unprocessedcontact AS waiting
    USING due WHERE waiting.id = due.id AND NOT due.behind AND due.free_at <= %(now)s
    RETURNING waiting.*
), stored AS (
    INSERT INTO contacts_contact
        (owner_id, upload_id, "row", name, phone_number, email_address, phone_key, email_key, accepted_at)
    SELECT owner_id, upload_id, "row", name, phone_number, email_address, phone_key, email_key, %(now)s
    FROM released ORDER BY due_at, id
    ON CONFLICT (upload_id, "row") DO NOTHING
), gates AS (
    INSERT INTO contacts_keygate AS gate (key, stored_at, next_free_at)
    SELECT key, %(now)s, %(now)s + %(window)s
    FROM (SELECT 'tel:' || phone_key AS key FROM released WHERE phone_key <> ''
          UNION SELECT 'mailto:' || email_key FROM released WHERE email_key <> '') AS keys ORDER BY key
    ON CONFLICT (key) DO UPDATE
    SET stored_at = excluded.stored_at, next_free_at = greatest(gate.next_free_at, excluded.next_free_at)
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM released),
       ARRAY(SELECT owner_id FROM released UNION SELECT owner_id FROM postponed)
"""


def release_due(*, batches: int = 40, batch_rows: int = BATCH) -> int:
    """Store the waiting rows that are due, in transactions of ``batch_rows`` rows, and return how many were stored."""
    released = 0
    for _ in range(batches):
        checked, stored = _release_batch(batch_rows)
        released += stored
        if checked < batch_rows:
            break
    return released


@transaction.atomic
def _release_batch(batch_rows: int) -> tuple[int, int]:
    """Return how many due rows were checked and how many of them were stored."""
    cursor: Any
    with connection.cursor() as cursor:
        # Usually nothing is due; then do not wait for a worker that is storing a chunk.
        cursor.execute("SELECT EXISTS (SELECT FROM contacts_unprocessedcontact WHERE due_at <= statement_timestamp())")
        if not cursor.fetchone()[0]:
            return 0, 0
        lock_window()
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0]
        values: dict[str, Any] = {"now": now, "window": settings.CONTACT_WINDOW, "batch": batch_rows}
        cursor.execute(_RELEASE, values)
        checked, released, owners = cursor.fetchone()
    invalidate(owners)
    return checked, released


_RELEASE_GATES = """
UPDATE contacts_keygate AS gate
SET next_free_at = coalesce(greatest(
    gate.stored_at,
    (SELECT max(due_at) FROM contacts_unprocessedcontact AS waiting
     WHERE gate.key LIKE 'tel:%%' AND waiting.phone_key = substr(gate.key, 5) AND waiting.phone_key <> ''),
    (SELECT max(due_at) FROM contacts_unprocessedcontact AS waiting
     WHERE gate.key LIKE 'mailto:%%' AND waiting.email_key = substr(gate.key, 8) AND waiting.email_key <> '')
) + %(window)s, now())
FROM unnest(%(keys)s::text[]) AS released (key) WHERE gate.key = released.key
"""


def delete_waiting(rows: QuerySet[UnprocessedContact]) -> int:
    """Delete waiting rows, free their slots, and return how many were deleted. Requires the window's lock.

    A key is then free one window after it was last stored or after its last row that still waits. The slots of other
    waiting rows do not change.
    """
    pairs = list(rows.values_list("phone_key", "email_key"))
    keys = {gate for phone, email in pairs for gate in (phone_gate(phone), email_gate(email)) if gate}
    deleted = rows.delete()[0]
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"keys": sorted(keys), "window": settings.CONTACT_WINDOW}
        cursor.execute(_RELEASE_GATES, values)
    return deleted


def delete_expired_gates() -> int:
    """Delete the gates that have been free for an hour and return how many. A key without a gate is free."""
    if UnprocessedContact.objects.filter(due_at__lt=Now()).exists():
        return 0  # an expired gate may still have waiting rows
    return KeyGate.objects.filter(next_free_at__lt=Now() - GATES_EXPIRE - settings.CONTACT_WINDOW).delete()[0]
