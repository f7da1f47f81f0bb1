"""A message with and without webhooks, and a fast receiver alone and beside one that does not answer."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network

from django.conf import settings
from django.db import connection

from config.webhooks import delivering
from config.webhooks.delivering import deliver_due
from config.webhooks.models import Webhook, WebhookDelivery
from messaging.services.sending import send_message
from tests.waiting import wait_until
from tests.webhooks.conftest import Receiver, make_deliveries, make_webhook

from .harness import Bench
from .messaging_sending import people

OTHERS = 1_000  # webhooks of other people
RECEIVER = "https://hooks.example.org/"


def run(bench: Bench) -> None:
    settings.WEBHOOKS_ALLOW_HTTP, settings.WEBHOOKS_ALLOWED_NETWORKS = True, [ip_network("127.0.0.0/8")]
    sending(bench)
    WebhookDelivery.objects.all().delete()
    receivers(bench)


def sending(bench: Bench) -> None:
    ann, ben, cleo, dan, *others = people(4 + OTHERS, "hooks")
    Webhook.objects.bulk_create(Webhook(owner=each, url=RECEIVER, kinds=["message"]) for each in others)
    for each in (cleo, dan):
        make_webhook(each, RECEIVER)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE config_webhook")
    bench.compare(
        "A message to one person, until it is committed",
        {
            "without webhooks": lambda: send_message(sender=ann, body="Lunch at one?", usercodes=[ben.usercode]),
            "sender and recipient have one": lambda: send_message(
                sender=cleo, body="Lunch at one?", usercodes=[dan.usercode]
            ),
        },
        calls=50,
    )


def receivers(bench: Bench) -> None:
    count, rounds = (100, 3) if bench.quick else (500, 7)
    let_go = threading.Event()
    fast, silent = Receiver(), Receiver(lambda _: 204 if let_go.wait(14) else 500)
    slow_owner, fast_owner = people(2, "receivers")
    slow_hook, fast_hook = make_webhook(slow_owner, silent.url), make_webhook(fast_owner, fast.url)
    rates: dict[str, list[float]] = {"alone": [], "beside": []}
    waits: list[float] = []
    for _ in range(rounds):
        with _worker():
            rates["alone"].append(_deliver(fast, fast_hook, count))
        let_go.clear()
        make_deliveries(slow_hook, 20)
        with _worker():
            wait_until(lambda: silent.active == delivering.PER_WEBHOOK, what="the silent receiver is being asked")
            rates["beside"].append(_deliver(fast, fast_hook, count))
            waits += [1 / _deliver(fast, fast_hook, 1) for _ in range(5)]
            let_go.set()
        WebhookDelivery.objects.all().delete()
        Webhook.objects.update(is_slow=False)
    alone, beside = (statistics.median(rates[name]) for name in ("alone", "beside"))
    bench.table(
        f"A receiver that answers at once   ({rounds} rounds of {count} deliveries)",
        ("", "deliveries/s", "of alone"),
        [
            ("alone", f"{alone:.0f}", ""),
            ("beside a receiver that does not answer", f"{beside:.0f}", f"{beside / alone:.2f}"),
        ],
    )
    waits.sort()
    bench.say(
        f"  one delivery, made while the other receiver is asked: p50 {bench.percentile(waits, 50) * 1000:.0f} ms, "
        f"longest {waits[-1] * 1000:.0f} ms"
    )
    for each in (fast, silent):
        each.server.shutdown()


@contextmanager
def _worker() -> Iterator[None]:
    """Deliver in another thread, until the block has ended and nothing is due."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            deliver_due()
            ended.wait(0.01)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _deliver(fast: Receiver, webhook: Webhook, count: int) -> float:
    """Make ``count`` deliveries, wait until they have arrived, and return how many arrived per second."""
    fast.requests.clear()
    started = time.perf_counter()
    make_deliveries(webhook, count)
    while len(fast.requests) < count:
        time.sleep(0.002)
    return count / (time.perf_counter() - started)
