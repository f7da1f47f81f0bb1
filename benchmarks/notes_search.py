"""Search in 100,000 notes, compared with ``icontains``; a page of notes among 1,000 and among a million notes."""

from collections.abc import Callable
from typing import Any

from .harness import Bench, new_user
from .notes_lists import LIST, UNCACHED, URLS

PROFILE = "/api/v1/auth/profile/"
FILL = """
INSERT INTO notes_note (owner_id, title, body, items, color, version, created_at, updated_at)
SELECT %(owner)s, 'Note ' || md5(n::text), CASE WHEN n %% 5000 = 0 THEN 'a needle, иголка' ELSE 'some hay' END
       || repeat(' and more of the same', %(length)s) || ' ' || md5((n + 1)::text), '[]', 'default', 1,
       now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series(1, %(count)s) AS n;
INSERT INTO notes_membership (user_id, note_id, role, pinned, archived, trashed, updated_at, joined_at)
SELECT owner_id, id, 'owner', false, false, false, updated_at, now() FROM notes_note WHERE owner_id = %(owner)s
ON CONFLICT DO NOTHING;
"""


def fill(owner: object, count: int, *, length: int = 1) -> None:
    """Create ``count`` notes of five words, repeated ``length`` times."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(FILL, {"owner": owner.pk, "count": count, "length": length})
        cursor.execute("VACUUM ANALYZE notes_note")
        cursor.execute("VACUUM ANALYZE notes_membership")


def run(bench: Bench) -> None:
    from accounts import tokens

    few, searching, many = map(new_user, ("few", "searching", "many"))
    bearers = {}
    for person in (few, searching, many):
        _, access, _ = tokens.start_session(user=person)
        bearers[person.pk] = {"Authorization": f"Bearer {access}"}

    fill(few, 1_000)
    with bench.serve("benchmarks.apps:application", env={**URLS, **UNCACHED}) as server:
        small = bench.compare(
            "A page of 1,000 notes of one user",
            {
                "the page": server.get(LIST, bearers[few.pk]),
                "the profile, for comparison": server.get(PROFILE, bearers[few.pk]),
            },
        )
        fill(searching, 100_000, length=30)
        search(bench, server, searching, bearers[searching.pk])
        others = 10_000 if bench.quick else 900_000
        fill(many, others)
        large = bench.compare(
            f"The same page, while other users have {100_000 + others:,} notes",
            {
                "the page": server.get(LIST, bearers[few.pk]),
                f"a page of {others:,} notes of one user": server.get(LIST, bearers[many.pk]),
                "the profile, for comparison": server.get(PROFILE, bearers[few.pk]),
            },
        )
    # The two tables are minutes apart: a change of the machine's speed shows in the profile too.
    grown, meanwhile = (large[name] / small[name] for name in small)
    bench.say(f"\n  Change between the two tables: page {grown:.2f}x, profile {meanwhile:.2f}x.")


def search(bench: Bench, server: Any, person: Any, bearer: dict[str, str]) -> None:
    """Measure the query alone, then whole requests."""
    queries(bench, person)
    for word in ("needle", "иголка"):
        bench.compare(
            f"Search for {word!r} in 100,000 notes over HTTP, compared with icontains without an index",
            {
                "the product": server.get(f"{LIST}?search={quote(word)}", bearer),
                "icontains": server.get(f"/plain/search/?search={quote(word)}", bearer),
                "the profile, for comparison": server.get(PROFILE, bearer),
            },
            rounds=5,
            calls=3,
            warmup=1,
        )


def queries(bench: Bench, person: object) -> None:
    """Measure the queries in Postgres alone, without HTTP, authentication and JSON."""
    from django.db import connection
    from django.db.models import Q

    from notes.models import Membership

    mine = Membership.objects.visible_to(person).in_state("active")
    fields = ("note__title", "note__body", "note__items")
    found = Q(*((f"{field}__icontains", "needle") for field in fields), _connector=Q.OR)
    latest = ("-pinned", "-updated_at", "-note_id")

    def execute(memberships: Any) -> Callable[[], object]:
        sql, params = memberships.order_by(*latest)[:51].query.sql_with_params()

        def call() -> list:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetchall()

        return call

    product = execute(mine.matching("needle", person).values_list("note_id"))
    plain = execute(mine.filter(found).values_list("note_id"))
    assert product() == plain()
    bench.compare(
        "The query alone: 'needle' in 100,000 notes of about 700 characters",
        {"the product": product, "icontains": plain},
        rounds=5,
        calls=3,
        warmup=1,
    )


def quote(word: str) -> str:
    from urllib.parse import quote as percent

    return percent(word)
