"""Rows whose window has passed move to Contact."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from config import caching

from . import announcements, locks
from .models import KeyGate, UnprocessedContact

BATCH = 5000
GATES_KEPT = timedelta(hours=1)

# Due rows are looked at in the order of their slots. One moves when it is the first in line for each of its keys, and
# each key has really rested for a window: where nobody was there to release for an hour, ten rows of one key do not all
# come at once. Any other is put off; the row before it in line is at the earliest stored now.
_RELEASE = """
WITH due AS MATERIALIZED (
    SELECT waiting.id, waiting.upload_id, waiting.phone_key, waiting.email_key,
           coalesce(greatest(phone.stored_at, email.stored_at) + %(window)s, %(now)s) AS rested_at,
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
), put_off AS (
    UPDATE contacts_unprocessedcontact AS waiting
    SET due_at = greatest(due.rested_at, CASE WHEN due.behind THEN %(now)s + %(window)s END)
    FROM due WHERE waiting.id = due.id AND (due.behind OR due.rested_at > %(now)s)
    RETURNING waiting.owner_id
), released AS (
    DELETE FROM contacts_unprocessedcontact AS waiting
    USING due WHERE waiting.id = due.id AND NOT due.behind AND due.rested_at <= %(now)s
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
       ARRAY(SELECT owner_id FROM released UNION SELECT owner_id FROM put_off)
"""


def release_due(*, batches: int = 40) -> int:
    """Store every waiting row whose turn has come, up to ``batches`` times 5,000, and return how many were."""
    released = 0
    for _ in range(batches):
        looked_at, stored = _release_batch()
        released += stored
        if looked_at < BATCH:
            break
    return released


@transaction.atomic
def _release_batch() -> tuple[int, int]:
    cursor: Any
    with connection.cursor() as cursor:
        # Most ticks find nothing; they need not wait for a worker that is storing a chunk.
        cursor.execute("SELECT EXISTS (SELECT FROM contacts_unprocessedcontact WHERE due_at <= statement_timestamp())")
        if not cursor.fetchone()[0]:
            return 0, 0
        locks.take_window()
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0]
        values: dict[str, Any] = {"now": now, "window": settings.CONTACT_WINDOW, "batch": BATCH}
        cursor.execute(_RELEASE, values)
        looked_at, released, owners = cursor.fetchone()
    caching.bump(*map(announcements.scope, owners))
    return looked_at, released


_LEAVE = """
WITH keys AS (
    SELECT 'tel:' || phone_key AS key FROM contacts_unprocessedcontact WHERE owner_id = %(owner)s AND phone_key <> ''
    UNION
    SELECT 'mailto:' || email_key FROM contacts_unprocessedcontact WHERE owner_id = %(owner)s AND email_key <> ''
)
UPDATE contacts_keygate AS gate
SET next_free_at = coalesce(greatest(
    gate.stored_at,
    (SELECT max(due_at) FROM contacts_unprocessedcontact AS waiting
     WHERE gate.key LIKE 'tel:%%' AND waiting.phone_key = substr(gate.key, 5) AND waiting.phone_key <> ''
       AND waiting.owner_id <> %(owner)s),
    (SELECT max(due_at) FROM contacts_unprocessedcontact AS waiting
     WHERE gate.key LIKE 'mailto:%%' AND waiting.email_key = substr(gate.key, 8) AND waiting.email_key <> ''
       AND waiting.owner_id <> %(owner)s)
) + %(window)s, now())
FROM keys WHERE gate.key = keys.key
"""


def leave_the_lines(owner_id: int) -> None:
    """Open the gates of a person's waiting rows to those behind, before the rows go. Call it with the window's lock."""
    values: dict[str, Any] = {"owner": owner_id, "window": settings.CONTACT_WINDOW}
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, values)


def forget_gates() -> int:
    """Delete the gates that have been free for an hour, which says the same as no gate; return how many were."""
    if UnprocessedContact.objects.filter(due_at__lt=Now()).exists():
        return 0  # rows that are late may still lie behind an old gate
    return KeyGate.objects.filter(next_free_at__lt=Now() - GATES_KEPT - settings.CONTACT_WINDOW).delete()[0]
