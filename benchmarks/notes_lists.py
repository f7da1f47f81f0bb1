"""A list of 50 notes: cached, not modified, and not cached, compared with a plain ModelSerializer view.

All requests go to one server with the same middleware and one user's token, whose session each request looks up. The
benchmark first checks that both views return the same. The plain view has the prefetches it needs (``plain_notes``).
"""

import http.client
import json
from urllib.parse import urlsplit

from .harness import Bench, Server, new_user

LIST = "/api/v1/notes/"
URLS = {"BENCH_URLS": "benchmarks.plain_notes"}
UNCACHED = {"CACHE_MAX_BYTES": "0"}  # of the server: it stores no response


def run(bench: Bench) -> None:
    from accounts import tokens

    people = [new_user(f"notes{n}") for n in range(4)]
    fill(people, 500)
    _, access, _ = tokens.start_session(user=people[0])
    bearer = {"Authorization": f"Bearer {access}"}
    with bench.serve("benchmarks.apps:application", env=URLS) as server:
        product = json.loads(server.get(LIST, bearer)())
        plain_page = json.loads(server.get("/plain/notes/", bearer)())
        assert [_comparable(note) for note in product["results"]] == [_comparable(n) for n in plain_page["results"]]
        plain = server.get("/plain/notes/", bearer)
        tag = etag_of(server, LIST, bearer)
        bench.compare(
            "List of 50 notes, cached in Redis, compared with a plain ModelSerializer view",
            {
                "cached": server.get(LIST, bearer),
                "not modified (304)": server.get(LIST, {**bearer, "If-None-Match": tag}),
                "plain": plain,
            },
        )
    with bench.serve("benchmarks.apps:application", env={**URLS, **UNCACHED}) as server:
        bench.compare(
            "List of 50 notes, never cached, compared with the same plain view",
            {"not cached": server.get(LIST, bearer), "plain": server.get("/plain/notes/", bearer)},
        )


def etag_of(server: Server, path: str, headers: dict[str, str]) -> str:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.headers["ETag"]


def fill(people: list, count: int) -> None:
    """Create ``count`` notes of the first user with two labels each; a third is shared with the other users."""
    from notes.models import Label, Membership, MembershipLabel
    from notes.services import notes, sharing

    owner, *others = people
    labels = [Label.objects.create(owner=owner, name=f"label {n}") for n in range(10)]
    for n in range(count):
        note = notes.create_note(
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
    """Parse the datetimes: one view writes six digits, the other as many as needed."""
    from datetime import datetime

    dates = {name: datetime.fromisoformat(note[name]) for name in ("created_at", "updated_at")}
    return {**note, **dates, "labels": sorted(note["labels"], key=lambda label: label["id"])}
