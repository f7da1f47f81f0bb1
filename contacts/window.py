"""The window: of each key, over all users and files, rows are stored at least ``CONTACT_WINDOW`` apart.

Each key has a gate with the first instant at which a row may have it. A row that comes at ``now`` gets the slot
``max(now, its gates)``: a slot of now is stored, a later one waits until then; either way its gates move to slot +
window. So three copies of a key lie at 0, +180 and +360 s, and a row with two keys waits for the later one.

All of it is decided under one lock (locks.take_window), in the order of the file.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from .models import FileMetadata


def tel(phone_key: str) -> str:
    return "tel:" + phone_key if phone_key else ""


def mailto(email_key: str) -> str:
    return "mailto:" + email_key if email_key else ""


@dataclass
class Decision:
    """What becomes of the rows of a chunk; ``gates`` are those that moved, with the instant of their last storing."""

    accepted: list[Sequence] = field(default_factory=list)
    deferred: list[tuple[Sequence, datetime, bool, bool]] = field(default_factory=list)
    rejected: list[Sequence] = field(default_factory=list)
    gates: dict[str, datetime] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)


def decide(
    rows: Iterable[Sequence], *, now: datetime, gates: dict[str, datetime], window: timedelta, backlog: timedelta
) -> Decision:
    """Give each row its slot, in order. ``gates`` holds the keys that are not free at ``now``, and is left as it is.

    Rows are rows.Row or rows.Rejected; a row whose slot is more than ``backlog`` away is rejected too.
    """
    moved: dict[str, datetime] = {}
    decision = Decision(gates=moved)
    for row in rows:
        if len(row) == 5:
            decision.rejected.append(row)
            continue
        phone, email = tel(row[4]), mailto(row[5])
        phone_free = (moved.get(phone) or gates.get(phone, now)) if phone else now
        email_free = (moved.get(email) or gates.get(email, now)) if email else now
        slot = max(now, phone_free, email_free)
        if slot - now > backlog:
            decision.rejected.append(_too_late(row, phone_free > email_free, backlog))
            continue
        if slot == now:
            decision.accepted.append(row)
            decision.stored.update(key for key in (phone, email) if key)
        else:
            decision.deferred.append((row, slot, phone_free > now, email_free > now))
        for key in (phone, email):
            if key:
                moved[key] = slot + window
    return decision


def _too_late(row: Sequence, by_phone: bool, backlog: timedelta) -> Sequence:
    column, value = ("Phone Number", row[2]) if by_phone else ("Email Address", row[3])
    message = f"So many rows bear this {column.lower()} that its turn would come after more than {backlog}."
    return (*row[:4], (column, "backlog_full", message, value))


def store(upload: FileMetadata, rows: Sequence[Sequence]) -> Decision:
    """Decide about ``rows`` and write what was decided. Call it in a transaction that holds the window's lock."""
    with connection.cursor() as cursor:
        keys = sorted({key for row in rows if len(row) == 6 for key in (tel(row[4]), mailto(row[5])) if key})
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0]
        decision = decide(
            rows,
            now=now,
            gates=_busy(cursor, keys, now),
            window=settings.CONTACT_WINDOW,
            backlog=settings.CONTACT_BACKLOG_MAX,
        )
        _write(cursor, upload, decision, now)
    return decision


def _busy(cursor: Any, keys: list[str], now: datetime) -> dict[str, datetime]:
    """The keys that are not free at ``now``, and when they will be."""
    # A key may look free while rows that bear it still wait: when nobody was there to release them. They come first.
    cursor.execute(
        """
        SELECT gate.key, CASE WHEN gate.next_free_at > %(now)s THEN gate.next_free_at ELSE %(now)s + %(window)s END
        FROM contacts_keygate AS gate
        WHERE gate.key = ANY(%(keys)s) AND (
            gate.next_free_at > %(now)s
            OR EXISTS (SELECT FROM contacts_unprocessedcontact AS waiting
                       WHERE gate.key LIKE 'tel:%%' AND waiting.phone_key = substr(gate.key, 5)
                         AND waiting.phone_key <> '')
            OR EXISTS (SELECT FROM contacts_unprocessedcontact AS waiting
                       WHERE gate.key LIKE 'mailto:%%' AND waiting.email_key = substr(gate.key, 8)
                         AND waiting.email_key <> ''))
        """,
        {"keys": keys, "now": now, "window": settings.CONTACT_WINDOW},
    )
    return dict(cursor.fetchall())


def _write(cursor: Any, upload: FileMetadata, decision: Decision, now: datetime) -> None:
    owner = (upload.owner_id, upload.pk)
    _copy(
        cursor,
        'contacts_contact (owner_id, upload_id, "row", name, phone_number, email_address, phone_key, email_key, '
        "accepted_at)",
        ((*owner, *row, now) for row in decision.accepted),
    )
    _copy(
        cursor,
        'contacts_unprocessedcontact (owner_id, upload_id, "row", name, phone_number, email_address, phone_key, '
        "email_key, received_at, due_at, phone_busy, email_busy)",
        ((*owner, *row, now, slot, phone, email) for row, slot, phone, email in decision.deferred),
    )
    _copy(
        cursor,
        'contacts_rejectedrow (upload_id, "row", name, phone_number, email_address, "column", code, message, value)',
        ((upload.pk, *row[:4], *row[4]) for row in decision.rejected),
    )
    keys = sorted(decision.gates)  # one order for the index's sake
    cursor.execute(
        """
        INSERT INTO contacts_keygate AS gate (key, next_free_at, stored_at)
        SELECT key, next_free_at, CASE WHEN stored THEN %s END
        FROM unnest(%s::text[], %s::timestamptz[], %s::boolean[]) AS moved (key, next_free_at, stored)
        ON CONFLICT (key) DO UPDATE
        SET next_free_at = excluded.next_free_at, stored_at = coalesce(excluded.stored_at, gate.stored_at)
        """,
        [now, keys, [decision.gates[key] for key in keys], [key in decision.stored for key in keys]],
    )


# Values are joined by NUL, which none of them holds, so that one pass a row writes tabs between and escapes within.
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": "\t"})


def _copy(cursor: Any, table: str, rows: Iterable[tuple]) -> None:
    """COPY ``rows`` into ``table (columns)``: ten times as fast as inserting them."""
    text = "".join("\x00".join(map(str, row)).translate(_ESCAPES) + "\n" for row in rows)
    if text:
        cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(text))
