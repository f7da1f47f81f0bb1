"""The JSON of notes in the API, built by Postgres.

A page of 50 notes is one query and 50 strings to join. Serializers would build more than a thousand Python objects
(``bin/bench notes_lists`` measures both and compares their results).
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.db.models import DateTimeField, ExpressionWrapper, F, Func, JSONField, OuterRef, Subquery, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from config.json import dumps


class JsonObject(Func):
    """``json_build_object``: keeps the order of its keys, unlike jsonb."""

    function = "json_build_object"
    output_field = JSONField()

    def __init__(self, **fields: object) -> None:
        super().__init__(*(part for name, value in fields.items() for part in (Value(name), value)))


class JsonList(Subquery):
    """The rows of a queryset with one JSON column, as one JSON array."""

    template = "(SELECT coalesce(json_agg(listed.one), '[]'::json) FROM (%(subquery)s) AS listed(one))"
    output_field = JSONField()


class Instant(Func):
    """A datetime in ISO 8601, UTC, as in the rest of the API."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


@cache
def note_json(trash_days: int) -> RawSQL:
    """Return the expression for a membership's note as JSON; ``purge_at`` is ``trash_days`` after ``trashed_at``.

    The SQL is compiled once and cached, because compiling it takes longer than the query. It depends only on the row
    of the membership, so it can be used in any query on memberships.
    """
    query = apps.get_model("notes", "Membership").objects.all().query
    compiled = Subquery(_one_note(trash_days)).resolve_expression(query)
    sql, params = query.get_compiler(DEFAULT_DB_ALIAS).compile(compiled)
    return RawSQL(sql, params, output_field=TextField())  # noqa: S611  the SQL is Django's own


def _one_note(trash_days: int) -> Any:
    memberships = apps.get_model("notes", "Membership").objects
    labellings = apps.get_model("notes", "MembershipLabel").objects
    collaborators = memberships.filter(note=OuterRef("note")).exclude(role="owner").order_by("pk")
    labels = labellings.filter(membership=OuterRef("pk")).order_by("label__folded", "label_id")
    purge_at = ExpressionWrapper(F("note__trashed_at") + timedelta(days=trash_days), DateTimeField())
    answer = Cast(
        JsonObject(
            id=F("note_id"),
            title=F("note__title"),
            body=F("note__body"),
            items=F("note__items"),
            color=F("note__color"),
            role=F("role"),
            owner=JsonObject(usercode=F("note__owner__usercode"), username=F("note__owner__username")),
            collaborators=JsonList(collaborators.values_list(_collaborator_json())),
            labels=JsonList(labels.values_list(JsonObject(id=F("label_id"), name=F("label__name")))),
            pinned=F("pinned"),
            archived=F("archived"),
            remind_at=Instant(F("reminder__remind_at")),
            trashed_at=Instant(F("note__trashed_at")),
            purge_at=Instant(purge_at),
            version=F("note__version"),
            created_at=Instant(F("note__created_at")),
            updated_at=Instant(F("note__updated_at")),
        ),
        TextField(),
    )
    return memberships.filter(pk=OuterRef("pk")).values_list(answer)


def bulk_envelope(action: str, count: int, results: Iterable[str]) -> bytes:
    """Return the bytes of ``{action, count, results}``; ``results`` are JSON."""
    return dumps({"action": action, "count": count})[:-1] + b',"results":[' + ",".join(results).encode() + b"]}"


def _collaborator_json() -> JsonObject:
    """Must match ``CollaboratorSerializer``."""
    return JsonObject(usercode=F("user__usercode"), username=F("user__username"), role=F("role"))
