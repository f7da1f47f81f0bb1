"""Search in a hundred thousand notes beside Django's ``icontains``; a list at a thousand and at a million notes."""

from collections.abc import Callable
from typing import Any

from .harness import Bench
from .notes_lists import LIST, anew

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
    """``count`` notes more, each with ``length`` times five words beside its own."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(FILL, {"owner": owner.pk, "count": count, "length": length})
        cursor.execute("VACUUM ANALYZE notes_note")
        cursor.execute("VACUUM ANALYZE notes_membership")


def run(bench: Bench) -> None:
    from accounts import tokens
    from accounts.models import User

    many, few = (User.objects.create(username=name, email=f"{name}@example.org") for name in ("many", "few"))
    bearers = {}
    for person in (many, few):
        _, access, _ = tokens.start_session(user=person)
        bearers[person.pk] = {"Authorization": f"Bearer {access}"}
    of_few, of_many = bearers[few.pk], bearers[many.pk]

    fill(few, 1_000)
    with bench.serve("benchmarks.apps:application", env={"BENCH_URLS": "benchmarks.plain_notes"}) as server:
        small = bench.compare(
            "A page of somebody's 1,000 notes, where there are no others", {"made anew": anew(server, LIST, of_few)}
        )
        fill(many, 100_000, length=30)
        queries(bench, many)
        for word in ("needle", "иголка"):
            bench.compare(
                f"Search for {word!r} in 100,000 notes beside icontains without an index",
                {
                    "the product": anew(server, f"{LIST}?search={quote(word)}", of_many, "&"),
                    "icontains": anew(server, f"/plain/search/?search={quote(word)}", of_many, "&"),
                },
                rounds=5,
                calls=3,
                warmup=1,
            )
        if not bench.quick:
            fill(many, 900_000)
        large = bench.compare(
            f"The same page, where somebody else has {'100,000' if bench.quick else 'a million'} notes",
            {"made anew": anew(server, LIST, of_few), "of the many": anew(server, LIST, of_many)},
        )
    if not bench.quick:
        ratio = large["made anew"] / small["made anew"]
        bench.say(f"\n  At a million notes a page takes {ratio:.2f}x its time at a thousand.")


def queries(bench: Bench, person: object) -> None:
    """The two queries by themselves: what Postgres takes, without HTTP, sign-in and JSON around it."""
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

    subject = execute(mine.matching("needle", person).values_list("note_id"))
    compared = execute(mine.filter(found).values_list("note_id"))
    assert subject() == compared()
    bench.compare(
        "The query alone: 'needle' in 100,000 notes of some 700 characters",
        {"the product": subject, "icontains": compared},
        rounds=5,
        calls=3,
        warmup=1,
    )


def quote(word: str) -> str:
    from urllib.parse import quote as percent

    return percent(word)
