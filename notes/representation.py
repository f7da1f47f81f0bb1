"""How a note reads in the API, written once: as an expression that Postgres turns into JSON.

A page of fifty notes with their owners, collaborators and labels is then one query and fifty strings to join, where
serializers would build some thousand Python objects.
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

from config.codecs import dumps


class JsonObject(Func):
    """``json_build_object``: keeps the order of its keys, and writes no value twice as jsonb would."""

    function = "json_build_object"
    output_field = JSONField()

    def __init__(self, **fields: object) -> None:
        super().__init__(*(part for name, value in fields.items() for part in (Value(name), value)))


class JsonList(Subquery):
    """The rows of a queryset of one JSON column, as one JSON list."""

    template = "(SELECT coalesce(json_agg(listed.one), '[]'::json) FROM (%(subquery)s) AS listed(one))"
    output_field = JSONField()


class Instant(Func):
    """A datetime in ISO 8601, UTC, as the rest of the API writes it."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


@cache
def note_json(trash_days: int) -> RawSQL:
    """The JSON of a membership's note as its person sees it; ``purge_at`` is ``trash_days`` after it was trashed.

    The expression is the same for every page, and Django takes longer to turn it into SQL than Postgres to answer the
    query: so that is done once. It stands on the membership's row alone, whatever the query around it joins.
    """
    query = apps.get_model("notes", "Membership").objects.all().query
    compiled = Subquery(_one_note(trash_days)).resolve_expression(query)
    sql, params = query.get_compiler(DEFAULT_DB_ALIAS).compile(compiled)
    return RawSQL(sql, params, output_field=TextField())  # noqa: S611  the SQL is Django's own


def _one_note(trash_days: int) -> Any:
    memberships = apps.get_model("notes", "Membership").objects
    labellings = apps.get_model("notes", "MembershipLabel").objects
    collaborators = memberships.filter(note=OuterRef("note")).exclude(role="owner").order_by("pk")
    labels = labellings.filter(membership=OuterRef("pk")).order_by("label__key")
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
            collaborators=JsonList(collaborators.values_list(person_json())),
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


def envelope(links: tuple[str | None, str | None], results: Iterable[str]) -> bytes:
    """``{next, previous, results}`` of results that are JSON already."""
    following, before = links
    head = dumps({"next": following, "previous": before})[:-1]
    return head + b',"results":[' + ",".join(results).encode() + b"]}"


def bulk_envelope(action: str, count: int, results: Iterable[str]) -> bytes:
    return dumps({"action": action, "count": count})[:-1] + b',"results":[' + ",".join(results).encode() + b"]}"


def person_json() -> JsonObject:
    """A collaborator's membership, as the owner's list and the note itself show it."""
    return JsonObject(usercode=F("user__usercode"), username=F("user__username"), role=F("role"))
