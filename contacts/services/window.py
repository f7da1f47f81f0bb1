"""The window: rows with the same key, over all users and files, are stored at least ``CONTACT_WINDOW`` apart.

Each key has a gate with the first instant at which a row with the key may be stored. A row that arrives at ``now`` gets
the slot ``max(now, its gates)``: it is stored if the slot is ``now`` and waits otherwise, and its gates move to slot +
window. Three copies of a key are stored at 0, +180 and +360 s; a row with two keys waits for the later one.

All decisions are made under one lock, in the order of the file.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.db import OperationalError, connection

from config.db import locks
from config.db.copy import copy_text
from config.jobs import runner
from config.outages import is_outage

from ..files.email_addresses import EMAIL
from ..files.phone_numbers import PHONE, Fault
from ..files.rows import AnyRow, Rejected, Row
from ..models import FileMetadata

# A worker that is stopped while it holds the lock must not block the others: Postgres ends its transaction, whether it
# stands still between two statements or in the middle of a COPY.
MAX_SILENCE = "15s"
MAX_STATEMENT = "30s"  # includes waiting for a lock


def lock_window() -> None:
    """Wait for the lock of all decisions about keys, and hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true), "
            "set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [MAX_SILENCE, MAX_STATEMENT, MAX_STATEMENT],
        )
    locks.lock("contacts.window")


def lock_window_of_job() -> None:
    """Wait for the lock in a job. Raises runner.Postpone if it does not become free in time."""
    try:
        lock_window()
    except OperationalError as error:
        if is_outage(error):
            raise
        raise runner.Postpone(f"The window's lock is not free: {error}") from error


class Deferred(NamedTuple):
    """A row that waits until ``due_at``, for its phone number, its e-mail address or both."""

    row: Row
    due_at: datetime
    phone_busy: bool
    email_busy: bool


@dataclass(slots=True)
class Decision:
    """What happens to each row of a chunk."""

    accepted: list[Row] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    gates: dict[str, datetime] = field(default_factory=dict)  # those that moved: key -> next free instant
    stored: set[str] = field(default_factory=set)  # the keys of accepted rows


def phone_gate(phone_key: str) -> str:
    return "tel:" + phone_key if phone_key else ""


def email_gate(email_key: str) -> str:
    return "mailto:" + email_key if email_key else ""


def decide(
    rows: Sequence[AnyRow], *, now: datetime, gates: dict[str, datetime], window: timedelta, backlog: timedelta
) -> Decision:
    """Give each row its slot, in order. ``gates`` contains the keys that are not free at ``now``; it is not changed.

    A row whose slot is more than ``backlog`` away is rejected.
    """
    if not gates and (plain := _without_repeats(rows, free_at=now + window)):
        return plain
    moved: dict[str, datetime] = {}
    decision = Decision(gates=moved)
    for row in rows:
        if isinstance(row, Rejected):
            decision.rejected.append(row)
            continue
        phone, email = phone_gate(row.phone_key), email_gate(row.email_key)
        phone_free = (moved.get(phone) or gates.get(phone, now)) if phone else now
        email_free = (moved.get(email) or gates.get(email, now)) if email else now
        slot = max(now, phone_free, email_free)
        if slot - now > backlog:
            decision.rejected.append(_backlog_full(row, phone_free > email_free, backlog))
            continue
        if slot == now:
            decision.accepted.append(row)
            decision.stored.update(key for key in (phone, email) if key)
        else:
            decision.deferred.append(Deferred(row, slot, phone_free > now, email_free > now))
        for key in (phone, email):
            if key:
                moved[key] = slot + window
    return decision


def _without_repeats(rows: Sequence[AnyRow], *, free_at: datetime) -> Decision | None:
    """Return the decision about rows whose keys are all free, or None if a key is repeated among them."""
    valid = [row for row in rows if isinstance(row, Row)]
    keys = [phone_gate(row.phone_key) for row in valid if row.phone_key]
    keys += [email_gate(row.email_key) for row in valid if row.email_key]
    stored = set(keys)
    if len(stored) < len(keys):
        return None
    rejected = [row for row in rows if isinstance(row, Rejected)]
    return Decision(accepted=valid, rejected=rejected, gates=dict.fromkeys(stored, free_at), stored=stored)


def _backlog_full(row: Row, by_phone: bool, backlog: timedelta) -> Rejected:
    column, value = (PHONE, row.phone_number) if by_phone else (EMAIL, row.email_address)
    message = f"Too many rows with this {column.lower()} are waiting: this one would wait for more than {backlog}."
    return Rejected(*row[:4], Fault(column, "backlog_full", message, value))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a file, with all that storing them needs and that does not depend on what is stored.

    ``valid`` are the rows that are not rejected, ``copied`` the same as text for COPY. A worker makes the next chunk
    in a thread while Postgres stores one.
    """

    rows: Sequence[AnyRow]
    valid: list[Row]
    keys: list[str]
    copied: str

    @classmethod
    def of(cls, rows: Sequence[AnyRow]) -> Self:
        valid = [row for row in rows if isinstance(row, Row)]
        return cls(rows, valid, _keys_of(valid), copy_text(valid))


def store(upload: FileMetadata, chunk: Chunk) -> Decision:
    """Decide about the rows of ``chunk`` and store the result, in a transaction that holds the window's lock."""
    with connection.cursor() as cursor:
        now = _now(cursor)
        decision = decide(
            chunk.rows,
            now=now,
            gates=_busy_gates(cursor, chunk.keys, now),
            window=settings.CONTACT_WINDOW,
            backlog=settings.CONTACT_BACKLOG_MAX,
        )
        _write(cursor, upload, chunk, decision, now)
    return decision


class Trial:
    """Decides about the rows of a file as ``store`` would now, without a lock and without storing anything.

    It remembers the keys of the rows before: 22 MB for 100,000 rows with a number and an address each.
    """

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            self._now = _now(cursor)
        self._gates: dict[str, datetime] = {}

    def decide(self, rows: Sequence[AnyRow]) -> Decision:
        """Decide about the next rows of the file."""
        keys = _keys_of(rows)
        with connection.cursor() as cursor:
            gates = _busy_gates(cursor, keys, self._now)
        gates.update((key, self._gates[key]) for key in keys if key in self._gates)
        decision = decide(
            rows, now=self._now, gates=gates, window=settings.CONTACT_WINDOW, backlog=settings.CONTACT_BACKLOG_MAX
        )
        self._gates.update(decision.gates)
        return decision


def _now(cursor: Any) -> datetime:
    cursor.execute("SELECT clock_timestamp()")
    return cursor.fetchone()[0]


def _keys_of(rows: Sequence[AnyRow]) -> list[str]:
    valid = [row for row in rows if isinstance(row, Row)]
    return sorted({gate for row in valid for gate in (phone_gate(row.phone_key), email_gate(row.email_key)) if gate})


def _busy_gates(cursor: Any, keys: list[str], now: datetime) -> dict[str, datetime]:
    """Return the keys that are not free at ``now``, and when they will be."""
    # A gate may have passed while rows of its key still wait, if no worker was running. Those rows come first.
    cursor.execute(
        """
        SELECT gate.key, CASE WHEN gate.next_free_at > %(now)s THEN gate.next_free_at ELSE %(now)s + %(window)s END
        FROM contacts_keygate AS gate
        WHERE gate.key = ANY(string_to_array(%(keys)s, chr(10))) AND (
            gate.next_free_at > %(now)s
            OR EXISTS (SELECT FROM contacts_unprocessedcontact AS waiting
                       WHERE gate.key LIKE 'tel:%%' AND waiting.phone_key = substr(gate.key, 5)
                         AND waiting.phone_key <> '')
            OR EXISTS (SELECT FROM contacts_unprocessedcontact AS waiting
                       WHERE gate.key LIKE 'mailto:%%' AND waiting.email_key = substr(gate.key, 8)
                         AND waiting.email_key <> ''))
        """,
        {"keys": _lines(keys), "now": now, "window": settings.CONTACT_WINDOW},
    )
    return dict(cursor.fetchall())


def _write(cursor: Any, upload: FileMetadata, chunk: Chunk, decision: Decision, now: datetime) -> None:
    owner = (upload.owner_id, upload.pk)
    instant = str(now)
    are_all = len(decision.accepted) == len(chunk.valid)
    _copy_text(
        cursor,
        'contacts_contact (owner_id, upload_id, accepted_at, "row", name, phone_number, email_address, phone_key, '
        "email_key)",
        _with_columns((*owner, instant), chunk.copied if are_all else copy_text(decision.accepted)),
    )
    copy_rows(
        cursor,
        'contacts_unprocessedcontact (owner_id, upload_id, "row", name, phone_number, email_address, phone_key, '
        "email_key, received_at, due_at, phone_busy, email_busy)",
        ((*owner, *row, instant, slot, phone, email) for row, slot, phone, email in decision.deferred),
    )
    copy_rows(
        cursor,
        'contacts_rejectedrow (upload_id, "row", name, phone_number, email_address, "column", code, message, value)',
        ((upload.pk, *row[:4], *row[4]) for row in decision.rejected),
    )
    # In the order of the index. Usually all keys of the chunk have moved, and those are sorted.
    keys = chunk.keys if len(decision.gates) == len(chunk.keys) else sorted(decision.gates)
    instants = {instant: str(instant) for instant in set(decision.gates.values())}
    cursor.execute(
        """
        INSERT INTO contacts_keygate AS gate (key, next_free_at, stored_at)
        SELECT key, next_free_at, CASE WHEN stored THEN %s END
        FROM unnest(string_to_array(%s, chr(10)), string_to_array(%s, chr(10))::timestamptz[],
                    string_to_array(%s, chr(10))::boolean[]) AS moved (key, next_free_at, stored)
        ON CONFLICT (key) DO UPDATE
        SET next_free_at = excluded.next_free_at, stored_at = coalesce(excluded.stored_at, gate.stored_at)
        """,
        [
            now,
            _lines(keys),
            _lines(instants[decision.gates[key]] for key in keys),
            _lines("t" if key in decision.stored else "f" for key in keys),
        ],
    )


def _lines(values: Iterable[str]) -> str:
    """Return an array as one text, which ``string_to_array(…, chr(10))`` reads; no key contains a line break.

    A list would become an expression of thousands of constants: 10,000 instants take 33 ms to quote, as one text 1 ms.
    """
    return "\n".join(values)


def copy_rows(cursor: Any, table: str, rows: Iterable[tuple]) -> None:
    """COPY ``rows`` into ``table (columns)``, which is ten times as fast as INSERT."""
    _copy_text(cursor, table, copy_text(list(rows)))


def _copy_text(cursor: Any, table: str, text: str) -> None:
    if text:
        cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(text))


def _with_columns(values: Iterable[object], text: str) -> str:
    """Put the same ``values`` before every row of ``text``, in which each line break ends a row."""
    start = "".join(f"{value}\t" for value in values)
    return start + text[:-1].replace("\n", f"\n{start}") + "\n" if text else ""
