"""A list of fifty notes: kept in Redis, not modified, made anew, and as a plain ModelSerializer view makes it.

All on one server with the same middleware, by one person's token, whose session each request looks up. The benchmark
first asserts that both views answer the same. The plain one has the prefetches that it needs (``plain_notes``).
"""

import http.client
import itertools
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from .harness import Bench, Server

LIST = "/api/v1/notes/"
_asked = itertools.count()  # one for all calls: two that count for themselves would ask for the same


def run(bench: Bench) -> None:
    from accounts import tokens
    from accounts.models import User

    people = [User.objects.create(username=f"notes{n}", email=f"notes{n}@example.org") for n in range(4)]
    fill(people, 500)
    _, access, _ = tokens.start_session(user=people[0])
    bearer = {"Authorization": f"Bearer {access}"}
    with bench.serve("benchmarks.apps:application", env={"BENCH_URLS": "benchmarks.plain_notes"}) as server:
        subject = json.loads(server.get(LIST, bearer)())
        compared = json.loads(server.get("/plain/notes/", bearer)())
        assert [_comparable(note) for note in subject["results"]] == [_comparable(n) for n in compared["results"]]
        plain = server.get("/plain/notes/", bearer)
        tag = etag_of(server, LIST, bearer)
        bench.compare(
            "List of 50 notes, kept in Redis, beside a plain ModelSerializer view of the same data",
            {
                "kept": server.get(LIST, bearer),
                "not modified (304)": server.get(LIST, {**bearer, "If-None-Match": tag}),
                "plain": plain,
            },
        )
        bench.compare(
            "List of 50 notes, made anew each time, beside the same plain view",
            {"made anew": anew(server, LIST, bearer), "plain": plain},
        )


def anew(server: Server, path: str, headers: dict[str, str], join: str = "?") -> Callable[[], bytes]:
    """A call that asks each time for what was never asked before: the query string is part of what is kept."""
    return server.get(lambda: f"{path}{join}n={next(_asked)}", headers)


def etag_of(server: Server, path: str, headers: dict[str, str]) -> str:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.headers["ETag"]


def fill(people: list, count: int) -> None:
    """``count`` notes of the first of ``people``, a third of them shared with the others, with two labels each."""
    from notes.models import Label, Membership, MembershipLabel
    from notes.services import content, sharing

    owner, *others = people
    labels = [Label.objects.create(owner=owner, name=f"label {n}") for n in range(10)]
    for n in range(count):
        note = content.create_note(
            owner=owner,
            title=f"Note number {n}",
            body="What there is to say about it, in a few words, and then in some more. " * 3,
            items=[{"text": f"thing {k}", "checked": k % 2 == 0} for k in range(4)] if n % 2 else [],
            label_ids=[labels[n % 10].pk, labels[(n + 3) % 10].pk],
        )
        if n % 3 == 0:
            for person in others:
                sharing.share_note(by=owner, note_id=note.pk, role="viewer", usercode=person.usercode)
    assert MembershipLabel.objects.filter(membership__in=Membership.objects.filter(user=owner)).count() == 2 * count


def _comparable(note: dict) -> dict:
    """Instants are written with six digits by the one and with as many as needed by the other."""
    from datetime import datetime

    dates = {name: datetime.fromisoformat(note[name]) for name in ("created_at", "updated_at")}
    return {**note, **dates, "labels": sorted(note["labels"], key=lambda label: label["id"])}
