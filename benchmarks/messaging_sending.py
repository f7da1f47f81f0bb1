"""Sending: as a service and over HTTP, beside a bare insert of the same rows; and a broadcast to 10,000."""

import time
from collections.abc import Callable

from django.db import connection, transaction

from accounts import tokens
from accounts.models import User
from config import wire
from config.caching import redis_client
from messaging import services
from messaging.models import Broadcast, Message, MessageRecipient

from .harness import Bench


def people(count: int, prefix: str = "b") -> list[User]:
    """So many people, made once."""
    known = list(User.objects.filter(username__startswith=prefix).order_by("pk")[:count])
    letters = prefix[:1].upper()
    return known or User.objects.bulk_create(
        User(username=f"{prefix}{n}", email=f"{prefix}{n}@example.org", usercode=f"{letters}{n:05}", password="!")
        for n in range(count)
    )


def run(bench: Bench) -> None:
    ada, bob = people(2, "sender")

    def service() -> None:
        services.send_message(sender=ada, body="Lunch at one?", usercodes=[bob.usercode])

    @transaction.atomic
    def bare() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO messaging_message (sender_id, body, broadcast, recipient_count, created_at) "
                "VALUES (%s, 'Lunch at one?', false, 1, now()) RETURNING id",
                [ada.pk],
            )
            cursor.execute(
                "INSERT INTO messaging_messagerecipient (message_id, recipient_id, sender_id, broadcast, withheld) "
                "VALUES (%s, %s, %s, false, false)",
                [cursor.fetchone()[0], bob.pk, ada.pk],
            )

    bench.compare("A message to one person", {"send_message": service, "bare insert, two rows": bare}, calls=50)
    rows = []
    for name, call in (("send_message", service), ("bare insert", bare)):
        taken = bench.latencies(call, seconds=5)
        rows.append((name, f"{len(taken) / sum(taken):,.0f}", *_milliseconds(bench, taken)))
    with bench.serve() as server:
        post = poster(server.url, ada, {"body": "Lunch at one?", "recipients": [bob.usercode]})
        taken = bench.latencies(post, seconds=5)
        rows.append(("POST messages/", f"{len(taken) / sum(taken):,.0f}", *_milliseconds(bench, taken)))
    bench.table("One client after the other", ("", "sends/s", "p50 ms", "p99 ms"), rows)
    broadcast(bench, ada)


def _milliseconds(bench: Bench, taken: list[float]) -> list[str]:
    return [f"{bench.percentile(taken, percent) * 1000:.2f}" for percent in (50, 99)]


def poster(url: str, user: User, body: dict) -> Callable[[], None]:
    import requests

    _, access, _ = tokens.start_session(user=user)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {access}"

    def post() -> None:
        answer = session.post(f"{url}/api/v1/messages/", json=body, timeout=30)
        assert answer.status_code == 201, answer.text

    return post


def broadcast(bench: Bench, sender: User) -> None:
    """The worker's fan-out beside 10,000 inserts, in one transaction and, as Django does by itself, each in its own."""
    count = 1_000 if bench.quick else 10_000
    crowd = people(count, "crowd")
    now = time.time()
    redis_client().zadd(wire.ONLINE, {str(each.pk): now for each in crowd})

    def timed(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    @transaction.atomic
    def row_by_row() -> None:
        message = Message.objects.create(sender=sender, body="Row by row", broadcast=True, recipient_count=count)
        for each in crowd:
            MessageRecipient.objects.create(message=message, recipient=each, sender=sender, broadcast=True)

    message = Message.objects.create(sender=sender, body="Each alone", broadcast=True, recipient_count=count)
    share = crowd[: count // 10]

    def each_committed() -> None:
        for each in share:
            MessageRecipient.objects.create(message=message, recipient=each, sender=sender, broadcast=True)

    alone = timed(each_committed) * count / len(share)
    answered, fanned_out, by_row = [], [], []
    for _ in range(3):
        redis_client().zadd(wire.ONLINE, {str(each.pk): time.time() for each in crowd})
        answered.append(timed(lambda: services.send_broadcast(sender=sender, body="All of you")))
        fanned_out.append(timed(services.fan_out_broadcasts))
        by_row.append(timed(row_by_row))
    assert not Broadcast.objects.filter(done_at=None).exists()
    answer, rows, singly = (sorted(each)[1] for each in (answered, fanned_out, by_row))
    bench.table(
        f"A broadcast to {count:,} online (medians of 3)",
        ("", "ms", "ratio"),
        [
            ("the sender has the answer", f"{answer * 1000:,.0f}", ""),
            ("rows made, events sent, by the worker", f"{rows * 1000:,.0f}", ""),
            ("inserted row by row, in one transaction", f"{singly * 1000:,.0f}", f"{singly / rows:,.0f}x"),
            ("inserted row by row, each committed (a tenth measured)", f"{alone * 1000:,.0f}", f"{alone / rows:,.0f}x"),
        ],
    )
