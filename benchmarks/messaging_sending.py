"""Sending a message (service and HTTP) against a bare insert of the same rows; a broadcast to 10,000."""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from unittest import mock

from django.db import connection, connections, transaction

from accounts import tokens
from accounts.models import User
from config.cache.redis import redis_client
from config.realtime import redis_keys
from messaging.models import BroadcastBatch, Message, MessageRecipient
from messaging.services.broadcasts import fan_out_broadcasts, send_broadcast
from messaging.services.sending import send_message

from .harness import Bench

CORES = os.cpu_count() or 1


def people(count: int, prefix: str = "b") -> list[User]:
    """Return ``count`` users, created at the first call."""
    known = list(User.objects.filter(username__startswith=prefix).order_by("pk")[:count])
    letters = prefix[:1].upper()
    return known or User.objects.bulk_create(
        User(username=f"{prefix}{n}", email=f"{prefix}{n}@example.org", usercode=f"{letters}{n:05}", password="!")
        for n in range(count)
    )


def run(bench: Bench) -> None:
    ada, bob = people(2, "sender")

    def service() -> None:
        send_message(sender=ada, body="Lunch at one?", usercodes=[bob.usercode])

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
        latencies = bench.latencies(call, seconds=5)
        rows.append((name, f"{len(latencies) / sum(latencies):,.0f}", *_milliseconds(bench, latencies)))
    with bench.serve() as server:
        post = poster(server.url, ada, {"body": "Lunch at one?", "recipients": [bob.usercode]})
        latencies = bench.latencies(post, seconds=5)
        rows.append(("POST messages/", f"{len(latencies) / sum(latencies):,.0f}", *_milliseconds(bench, latencies)))
    bench.table("One client after the other", ("", "sends/s", "p50 ms", "p99 ms"), rows)
    broadcast(bench, ada)


def _milliseconds(bench: Bench, latencies: list[float]) -> list[str]:
    return [f"{bench.percentile(latencies, percent) * 1000:.2f}" for percent in (50, 99)]


def poster(url: str, user: User, body: dict) -> Callable[[], None]:
    import requests

    _, access, _ = tokens.start_session(user=user)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {access}"

    def post() -> None:
        answer = session.post(f"{url}/api/v1/messages/", json=body, timeout=30)
        assert answer.status_code == 201, answer.text

    return post


def _work(notify: bool) -> None:
    """Run one worker's part of a fan-out; without ``notify`` the events are stored but not sent to Redis."""
    with nullcontext() if notify else mock.patch("config.realtime.events._send_all"):
        fan_out_broadcasts()


def broadcast(bench: Bench, sender: User) -> None:
    """Compare the workers' fan-out with the same rows inserted one by one, as a naive view would do it."""
    count = 1_000 if bench.quick else 10_000
    crowd = people(count, "crowd")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_user")  # autovacuum would do it within a minute
    share = crowd[: count // 10]

    def timed(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    def ask() -> None:
        redis_client().zadd(redis_keys.ONLINE, {str(each.pk): time.time() for each in crowd})
        answered.append(timed(lambda: send_broadcast(sender=sender, body="All of you")))

    def message() -> Message:
        return Message.objects.create(sender=sender, body="All of you", broadcast=True, recipient_count=count)

    def create(to: list[User]) -> None:
        sent = message()
        for each in to:
            MessageRecipient.objects.create(message=sent, recipient=each, sender=sender, broadcast=True)

    @transaction.atomic
    def inserts() -> None:
        sent = message()
        with connection.cursor() as cursor:
            for each in crowd:
                cursor.execute(
                    "INSERT INTO messaging_messagerecipient (message_id, recipient_id, sender_id, broadcast, withheld) "
                    "VALUES (%s, %s, %s, true, false)",
                    [sent.pk, each.pk, sender.pk],
                )

    def fan_out(*, notify: bool = True) -> None:
        """Create all pending receipts, like the product's worker: with one process for each core."""
        for call in [workers.submit(_work, notify) for _ in range(CORES)]:
            call.result()

    answered: list[float] = []
    ways: dict[str, Callable[[], float]] = {
        "create() a row, each committed (a tenth is measured)": lambda: timed(lambda: create(share)) * 10,
        "create() a row, in one transaction": lambda: timed(transaction.atomic(lambda: create(crowd))),
        "INSERT a row, in one transaction": lambda: timed(inserts),
    }
    connections.close_all()  # otherwise the processes inherit them
    workers = ProcessPoolExecutor(CORES, get_context("fork"))
    fan_out()  # opens a connection in each process
    created, notified = [], []
    singly: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3 if bench.quick else 5):
        ask()
        created.append(timed(lambda: fan_out(notify=False)))
        ask()
        notified.append(timed(fan_out))
        for name, way in ways.items():
            singly[name].append(way())
    workers.shutdown()
    assert not BroadcastBatch.objects.filter(done_at=None).exists()

    # A broadcast is in its recipients' histories when the sender gets the answer; receipts and events follow.
    ours = {
        "in every history, sender answered": answered[::2],
        "receipts created": created,
        "events sent too": notified,
    }

    def row(name: str, latencies: list[float]) -> tuple[str, ...]:
        against = (sorted(each / own for each, own in zip(latencies, mine, strict=True)) for mine in ours.values())
        ratios = [f"{statistics.median(each):,.0f}x ({each[0]:,.0f}-{each[-1]:,.0f})" for each in against]
        return name, f"{statistics.median(latencies) * 1000:,.0f}", *(ratios if name in singly else [""] * len(ratios))

    bench.table(
        f"A broadcast to {count:,} online, {CORES} workers (medians of {len(created)} turns; ratios turn by turn)",
        ("", "ms", "against history", "against receipts", "against events"),
        [row(name, latencies) for name, latencies in (ours | singly).items()],
    )
