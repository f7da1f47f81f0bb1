"""Sends the deliveries that are due: many at a time, and never many for one receiver.

One thread claims rows and stores results; a pool of threads sends. A claim is a lease: it is committed before anything
is sent, and another worker takes over when it has expired. So a delivery is sent at least once, no transaction is open
during a request, and a slow receiver only occupies its few threads (docs/decisions/webhook-deliveries.md).
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from random import uniform
from typing import Any

import structlog
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from config.db import locks
from config.jobs.enqueue import enqueue

from . import metrics, sending, services
from .models import DisabledReason, Webhook, WebhookDelivery
from .sending import GONE, Message, Outcome

logger = structlog.get_logger(__name__)

# Deliveries that are sent at the same time: for one webhook, for one that was slow, and for all webhooks of an owner.
PER_WEBHOOK = 4
PER_SLOW_WEBHOOK = 1
PER_OWNER = 8
SLOW_MS = 3000  # an attempt that took longer makes its webhook slow, and slow ones share half of the threads
LEASE = timedelta(seconds=60)  # longer than an attempt, also one whose name is resolved late
POLL_SECONDS = 0.2  # how often new rows are searched while others are being sent
TIME_SLICE = 60.0  # seconds, after which another task continues

# The delays between the attempts: three days in total, each extended by up to a tenth at random. The sweep that finds
# the rows adds up to 3 s.
DELAYS = [
    timedelta(seconds=4), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
    timedelta(hours=5), timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=20.5),
]  # fmt: skip
MAX_ATTEMPTS = len(DELAYS) + 1
FAILING = timedelta(days=3)  # of failures without a success, after which a webhook is switched off

_stopping = threading.Event()


@worker_shutting_down.connect(dispatch_uid="atrium.webhooks.stop")
def _stop(**_: Any) -> None:
    _stopping.set()


@dataclass(frozen=True)
class Candidate:
    """A webhook with due deliveries."""

    id: int
    owner_id: int
    is_slow: bool


def deliver_due(*, threads: int | None = None, time_slice: float = TIME_SLICE) -> int:
    """Send the due deliveries until none is left; return how many were accepted by their receivers.

    ``threads`` is the number of deliveries sent at a time (WEBHOOK_CONCURRENCY). After ``time_slice`` seconds nothing
    more is claimed, and another task continues.
    """
    threads = threads or settings.WEBHOOK_CONCURRENCY
    deadline = time.monotonic() + time_slice
    running: dict[Future[Outcome], WebhookDelivery] = {}
    delivered = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="webhook") as pool:
        while True:
            if _stopping.is_set() or time.monotonic() > deadline:
                if not running:
                    enqueue(WebhookDelivery)
                    break
            else:
                slow = sum(each.webhook.is_slow for each in running.values())
                claimed = claim(threads - len(running), slow=threads // 2 - slow)
                running |= {pool.submit(sending.send, _message(each)): each for each in _sendable(claimed)}
                if not running and not claimed:
                    break
            done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            delivered += store([(running.pop(future), future.result()) for future in done])
    return delivered


@transaction.atomic
def claim(free: int, *, slow: int) -> list[WebhookDelivery]:
    """Claim up to ``free`` due deliveries, at most ``slow`` of them of slow webhooks."""
    if free <= 0:
        return []
    locks.lock("webhooks: claim")  # so that two workers together keep the limits
    candidates, busy = _candidates(), _busy()
    shares = allot(candidates, busy, free=free, slow=slow)
    if not shares:
        return []
    with connection.cursor() as cursor:
        parameters: list[Any] = [LEASE, LEASE, list(shares), list(shares.values())]
        cursor.execute(_CLAIM, parameters)
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(_with_webhooks(WebhookDelivery.objects.filter(pk__in=ids)))


def allot(
    candidates: Sequence[Candidate], busy: Mapping[tuple[int, int], int], *, free: int, slow: int
) -> dict[int, int]:
    """Return how many deliveries of each webhook to claim: one each in turn, within the limits.

    ``busy`` counts what is being sent, by webhook and owner.
    """
    of_webhook: Counter[int] = Counter()
    of_owner: Counter[int] = Counter()
    for (webhook_id, owner_id), number in busy.items():
        of_webhook[webhook_id] += number
        of_owner[owner_id] += number
    shares: Counter[int] = Counter()
    waiting = list(candidates)
    while waiting and free > 0:
        again = []
        for each in waiting:
            limit = PER_SLOW_WEBHOOK if each.is_slow else PER_WEBHOOK
            if of_webhook[each.id] >= limit or of_owner[each.owner_id] >= PER_OWNER or (each.is_slow and slow <= 0):
                continue
            if free <= 0:
                break
            free -= 1
            slow -= each.is_slow
            for counter, key in ((shares, each.id), (of_webhook, each.id), (of_owner, each.owner_id)):
                counter[key] += 1
            again.append(each)
        waiting = again
    return dict(shares)


@transaction.atomic
def store(results: Sequence[tuple[WebhookDelivery, Outcome]]) -> int:
    """Store how attempts ended; return how many were accepted. A result whose lease was taken over is dropped."""
    if not results:
        return 0
    # Locked before the deliveries, in the order of the ids, as everywhere.
    ids = sorted({delivery.webhook_id for delivery, _ in results})
    locked = Webhook.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    webhooks = {webhook.pk: webhook for webhook in locked}
    accepted = 0
    for delivery, outcome in sorted(results, key=lambda result: result[0].pk):
        webhook = webhooks.get(delivery.webhook_id)
        if webhook is None:  # deleted meanwhile
            continue
        if _store_one(webhook, delivery, outcome):
            accepted += not outcome.error
    metrics.count_attempts([outcome for _, outcome in results])
    return accepted


def _store_one(webhook: Webhook, delivery: WebhookDelivery, outcome: Outcome) -> bool:
    fields: dict[str, Any] = {
        "leased_until": None,
        "response_status": outcome.status,
        "duration_ms": outcome.duration_ms,
        "error": outcome.error,
    }
    if not outcome.error:
        fields["done_at"] = Now()
    elif delivery.attempts >= MAX_ATTEMPTS or outcome.status == GONE:
        fields["failed_at"] = Now()
    else:
        delay = DELAYS[delivery.attempts - 1]
        fields["due_at"] = Now() + delay * uniform(1, 1.1)  # noqa: S311
    rows = WebhookDelivery.objects.filter(pk=delivery.pk, done_at=None, failed_at=None, attempts=delivery.attempts)
    if not rows.update(**fields):
        return False
    _store_state(webhook, outcome)
    return True


def _store_state(webhook: Webhook, outcome: Outcome) -> None:
    """Update what the webhook remembers of its last attempts, and switch it off if it is gone or fails for days."""
    before = (webhook.failing_since, webhook.is_slow)
    now = timezone.now()
    webhook.is_slow = outcome.duration_ms > SLOW_MS
    webhook.failing_since = (webhook.failing_since or now) if outcome.error else None
    if before != (webhook.failing_since, webhook.is_slow):
        webhook.save(update_fields=["failing_since", "is_slow"])
    if not outcome.error or not webhook.active:
        return
    if outcome.status == GONE:
        services.disable(webhook, DisabledReason.GONE)
    elif webhook.failing_since and now - webhook.failing_since >= FAILING:
        services.disable(webhook, DisabledReason.FAILING)


def _sendable(claimed: Sequence[WebhookDelivery]) -> list[WebhookDelivery]:
    """End the deliveries that must not be sent any more; return the others."""
    sendable = []
    for delivery in claimed:
        if reason := _obstacle(delivery):
            rows = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts)
            rows.update(failed_at=Now(), leased_until=None, error=reason)
        else:
            sendable.append(delivery)
    return sendable


def _obstacle(delivery: WebhookDelivery) -> str:
    if not delivery.webhook.owner.is_active:
        return "The account is deactivated."
    if not delivery.webhook.active:
        return services.OFF
    if delivery.attempts > MAX_ATTEMPTS:
        # Otherwise the last attempt has ended the row.
        return delivery.error or "Every attempt crashed its worker."
    return ""


def _message(delivery: WebhookDelivery) -> Message:
    webhook = delivery.webhook
    salts = [webhook.salt]
    if webhook.previous_until and webhook.previous_until > timezone.now():
        salts.append(webhook.previous_salt)
    return Message(webhook.url, delivery.message_id, delivery.body.encode(), salts)


def _with_webhooks(deliveries: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
    return deliveries.select_related("webhook__owner").order_by("due_at", "pk")


def _candidates() -> list[Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES)
        return [Candidate(*row) for row in cursor.fetchall()]


def _busy() -> dict[tuple[int, int], int]:
    """Return how many deliveries are being sent, by webhook and owner."""
    with connection.cursor() as cursor:
        cursor.execute(_BUSY)
        return {(webhook_id, owner_id): number for webhook_id, owner_id, number in cursor.fetchall()}


# Webhooks with due deliveries, the longest waiting first. The recursion jumps from webhook to webhook in the index, so
# the cost depends on their number and not on the length of a backlog.
_CANDIDATES = """
WITH RECURSIVE found (id) AS (
    (
        SELECT webhook_id FROM config_webhookdelivery WHERE done_at IS NULL AND failed_at IS NULL
        ORDER BY webhook_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT webhook_id FROM config_webhookdelivery
        WHERE done_at IS NULL AND failed_at IS NULL AND webhook_id > found.id
        ORDER BY webhook_id LIMIT 1
    )
    FROM found WHERE found.id IS NOT NULL
)
SELECT w.id, w.owner_id, w.is_slow
FROM found
JOIN config_webhook w ON w.id = found.id
CROSS JOIN LATERAL (
    SELECT due_at FROM config_webhookdelivery
    WHERE webhook_id = w.id AND done_at IS NULL AND failed_at IS NULL AND due_at <= statement_timestamp()
    ORDER BY due_at LIMIT 1
) first
ORDER BY first.due_at
"""

_BUSY = """
SELECT w.id, w.owner_id, count(*)
FROM config_webhookdelivery d JOIN config_webhook w ON w.id = d.webhook_id
WHERE d.leased_until > statement_timestamp() AND d.done_at IS NULL AND d.failed_at IS NULL
GROUP BY w.id, w.owner_id
"""

_CLAIM = """
UPDATE config_webhookdelivery d
SET attempts = d.attempts + 1, leased_until = statement_timestamp() + %s, due_at = statement_timestamp() + %s
FROM (
    SELECT picked.id FROM unnest(%s::bigint[], %s::int[]) AS share (webhook_id, number)
    CROSS JOIN LATERAL (
        SELECT id FROM config_webhookdelivery
        WHERE webhook_id = share.webhook_id AND done_at IS NULL AND failed_at IS NULL
          AND due_at <= statement_timestamp()
        ORDER BY due_at, id LIMIT share.number FOR UPDATE SKIP LOCKED
    ) picked
) claimed
WHERE d.id = claimed.id
RETURNING d.id
"""
