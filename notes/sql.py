"""The SQL that is written by hand, because the ORM is too slow."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from config.cache.generations import INCREMENT
from config.db import prepared
from config.db.fields import id_array
from config.json import dumps
from config.models import OutgoingEvent
from config.webhooks.publishing import DELIVER_ROW, delivery_parameters

from .representation import note_json


class NewNote(NamedTuple):
    """A note that was just created, with its JSON as the owner sees it."""

    pk: int
    json: str


def insert_note(
    owner_id: int,
    content: Mapping[str, Any],
    *,
    label_ids: Collection[int],
    created_at: datetime,
    scope: str,
    event: OutgoingEvent,
) -> NewNote:
    """Insert a note with its owner's membership and labels, and invalidate what is cached under ``scope``.

    Also insert ``event``, whose data begin with the ``id`` 0, and set that id. The caller sends it after the commit.

    The statements are sent together, so outside of a transaction they are one. This takes one round trip; with the ORM
    it took seven.
    """
    sql = _insert_note(settings.NOTES_TRASH_DAYS)
    data = event.data.removeprefix(_DATA_START)
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            sql,
            [
                owner_id, content["title"], content["body"], dumps(content["items"]).decode(), content["color"],
                created_at, created_at, id_array(label_ids),
                *delivery_parameters("note", "note.created", id_array([owner_id])), event.key,
                id_array(event.user_ids), event.kind, data, [scope],
            ],
        )  # fmt: skip
        note = NewNote(*cursor.fetchone())
    event.data = f'{{"id":{note.pk}{data}'
    return note


# In a subquery, currval is evaluated once. In a WHERE it would be evaluated for each row of the table.
_NOTE_ID = "(SELECT currval(pg_get_serial_sequence('notes_note', 'id')))"
_MEMBERSHIP_ID = "(SELECT currval(pg_get_serial_sequence('notes_membership', 'id')))"
_DATA_START = '{"id":0'
_DELIVERIES = DELIVER_ROW.format(id=_NOTE_ID, rows="(SELECT 1) AS note")


@cache
def _insert_note(trash_days: int) -> str:
    json, _ = prepared.fixed(note_json(trash_days).sql, note_json(trash_days).params, variable=())
    return f"""
        WITH note AS (
            INSERT INTO notes_note (owner_id, title, body, items, color, version, created_at, updated_at)
            VALUES (%s, %s, %s, %s::jsonb, %s, 1, %s, %s) RETURNING id, owner_id, updated_at
        )
        INSERT INTO notes_membership (note_id, user_id, role, pinned, archived, trashed, updated_at)
        SELECT id, owner_id, 'owner', false, false, false, updated_at FROM note;
        INSERT INTO notes_membershiplabel (membership_id, label_id)
        SELECT {_MEMBERSHIP_ID}, unnest(%s::bigint[]);
        SET CONSTRAINTS ALL IMMEDIATE;
        {_DELIVERIES};
        INSERT INTO config_outgoingevent (key, user_ids, kind, data)
        VALUES (%s, %s, %s, '{{"id":' || {_NOTE_ID} || %s::text);
        {INCREMENT};
        SELECT note_id, {json} FROM notes_membership
        WHERE id = {_MEMBERSHIP_ID}
        """  # noqa: S608
