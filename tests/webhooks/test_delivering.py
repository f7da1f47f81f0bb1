"""Every delivery arrives at least once, signed, and no receiver delays another."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User
from config import mail
from config.models import OutgoingMail
from config.webhooks import delivering, services, signing
from config.webhooks.delivering import Candidate, allot, deliver_due
from config.webhooks.models import Webhook, WebhookDelivery

from ..conftest import Inbox
from ..factories import UserFactory
from .conftest import Receiver, make_deliveries, make_due, make_webhook, verify

pytestmark = pytest.mark.django_db


def the_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def deliver_everything(rounds: int = 100) -> None:
    """Deliver until nothing waits; retries are due at once."""
    for _ in range(rounds):
        deliver_due()
        if not WebhookDelivery.objects.unfinished().exists():
            return
        make_due()
    raise AssertionError("deliveries are left")


def test_a_delivery_is_sent_and_its_answer_stored(user: User, receiver: Receiver) -> None:
    make_deliveries(make_webhook(user, receiver.url), 1)
    assert deliver_due() == 1
    delivery = the_delivery()
    assert (delivery.status, delivery.attempts, delivery.response_status, delivery.error) == ("delivered", 1, 204, "")
    assert delivery.duration_ms is not None
    assert receiver.requests[0].id == delivery.message_id
    assert deliver_due() == 0, "it is sent once"
    assert len(receiver.requests) == 1


def test_the_first_retry_is_within_10_seconds_and_the_last_after_three_days(user: User, receiver: Receiver) -> None:
    receiver.answer = 500
    make_deliveries(make_webhook(user, receiver.url), 1)
    waits = []
    for _ in range(delivering.MAX_ATTEMPTS):
        before = WebhookDelivery.objects.annotate(now=Now()).get().now
        deliver_due()
        waits.append(the_delivery().due_at - before)
        make_due()
    assert waits[0] <= timedelta(seconds=7), "the sweep adds 3 s"
    for wait, delay in zip(waits[:-1], delivering.DELAYS, strict=True):
        assert delay <= wait <= delay * 1.1 + timedelta(seconds=2)
    assert timedelta(days=3) <= sum(waits[:-1], timedelta()) <= timedelta(days=3.5)
    delivery = the_delivery()
    assert (delivery.status, delivery.attempts) == ("failed", delivering.MAX_ATTEMPTS)
    assert delivery.error == "The receiver answered 500."
    assert len({request.id for request in receiver.requests}) == 1


def test_410_switches_the_webhook_off_and_mails_its_owner(user: User, receiver: Receiver, smtp: Inbox) -> None:
    receiver.answer = 410
    webhook = make_webhook(user, receiver.url, description="Sync <b>wiki</b>")
    make_deliveries(webhook, 3)
    deliver_due()
    webhook.refresh_from_db()
    assert (webhook.active, webhook.disabled_reason) == (False, "gone")
    assert {each.status for each in WebhookDelivery.objects.all()} == {"failed"}
    mail.send_due()
    (message,) = smtp.to(user.email)
    assert message["Subject"] == "Your webhook was switched off"
    assert "Sync &lt;b&gt;wiki" in message.get_body(("html",)).get_content()
    assert OutgoingMail.objects.count() == 1, "one mail, not one for each delivery"


def test_three_days_of_failures_switch_it_off_and_a_success_starts_anew(user: User, receiver: Receiver) -> None:
    webhook = make_webhook(user, receiver.url)
    receiver.answer = 500
    make_deliveries(webhook, 1)
    deliver_due()
    Webhook.objects.update(failing_since=Now() - timedelta(days=2, hours=23))
    make_due()
    deliver_due()
    assert Webhook.objects.get().active
    receiver.answer = 200
    make_due()
    deliver_due()
    assert Webhook.objects.get().failing_since is None
    receiver.answer = 500
    make_deliveries(webhook, 1)
    deliver_due()
    Webhook.objects.update(failing_since=Now() - timedelta(days=3))
    make_due()
    deliver_due()
    webhook.refresh_from_db()
    assert (webhook.active, webhook.disabled_reason) == (False, "failing")
    assert OutgoingMail.objects.get().template == "webhook_disabled"


def test_nothing_is_sent_for_a_deactivated_owner(user: User, receiver: Receiver) -> None:
    make_deliveries(make_webhook(user, receiver.url), 2)
    User.objects.filter(pk=user.pk).update(is_active=False)
    deliver_due()
    assert receiver.requests == []
    assert {each.error for each in WebhookDelivery.objects.all()} == {"The account is deactivated."}


def test_a_delivery_that_crashes_every_worker_ends_failed(user: User, receiver: Receiver) -> None:
    make_deliveries(make_webhook(user, receiver.url), 1)
    WebhookDelivery.objects.update(attempts=delivering.MAX_ATTEMPTS)
    deliver_due()
    assert (the_delivery().status, receiver.requests) == ("failed", [])


def test_a_result_is_dropped_if_another_worker_has_taken_over(user: User, receiver: Receiver) -> None:
    make_deliveries(make_webhook(user, receiver.url), 1)
    (first,) = delivering.claim(1, slow=1)
    assert delivering.claim(1, slow=1) == [], "it is leased"
    make_due()
    (second,) = delivering.claim(1, slow=1)
    outcome = delivering.sending.send(delivering._message(second))
    assert delivering.store([(first, outcome)]) == 0
    assert the_delivery().status == "waiting"
    assert delivering.store([(second, outcome)]) == 1
    assert (the_delivery().status, the_delivery().attempts) == ("delivered", 2)


def test_a_new_secret_signs_beside_the_old_one_for_a_day(user: User, receiver: Receiver) -> None:
    webhook, old = services.create_webhook(owner=user, url=receiver.url, kinds=["note"])
    new = services.replace_secret(webhook=webhook)
    make_deliveries(webhook, 1)
    deliver_due()
    verify(receiver.requests[0], old)
    verify(receiver.requests[0], new)
    Webhook.objects.update(previous_until=Now())
    make_deliveries(webhook, 1)
    deliver_due()
    verify(receiver.requests[1], new)
    assert " " not in receiver.requests[1].headers["webhook-signature"]


def test_a_webhook_deleted_while_it_is_sent_changes_nothing_else(
    user: User, start_receiver: Callable[..., Receiver]
) -> None:
    gone, stays = make_webhook(user, start_receiver().url), make_webhook(user, start_receiver().url)
    make_deliveries(gone, 1)
    make_deliveries(stays, 1)
    claimed = delivering.claim(2, slow=1)
    outcomes = [(each, delivering.sending.send(delivering._message(each))) for each in claimed]
    services.delete_webhook(webhook=gone)
    assert delivering.store(outcomes) == 1
    assert the_delivery().status == "delivered"


def test_shares_go_round_and_keep_every_limit() -> None:
    first, second, third = Candidate(1, 10, False), Candidate(2, 20, False), Candidate(3, 30, True)
    assert allot([first, second, third], {}, free=5, slow=9) == {1: 2, 2: 2, 3: 1}
    assert allot([first], {}, free=99, slow=9) == {1: delivering.PER_WEBHOOK}
    assert allot([first], {(1, 10): delivering.PER_WEBHOOK}, free=99, slow=9) == {}
    assert allot([third], {}, free=99, slow=0) == {}, "the other half of the threads is not for slow webhooks"
    many = [Candidate(number, 10, False) for number in range(9)]
    assert sum(allot(many, {}, free=99, slow=9).values()) == delivering.PER_OWNER
    assert allot(many, {(77, 10): delivering.PER_OWNER}, free=99, slow=9) == {}


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_does_not_delay_others(user: User, start_receiver: Callable[..., Receiver]) -> None:
    """The slow one answers when the fast one has got everything: a worker that waited for it would never finish."""
    all_arrived = threading.Event()

    def slowly(_: Any) -> int:
        return 204 if all_arrived.wait(14) else 500

    def fast_answer(_: Any) -> int:
        if len(fast.requests) == 50:
            all_arrived.set()
        return 204

    slow, fast = start_receiver(slowly), start_receiver(fast_answer)
    make_deliveries(make_webhook(user, slow.url), 8)
    make_deliveries(make_webhook(UserFactory(), fast.url), 50)
    assert deliver_due() == 58
    assert slow.most_active <= delivering.PER_WEBHOOK


@pytest.mark.django_db(transaction=True)
def test_a_delivery_made_meanwhile_does_not_wait_for_the_slow_ones(
    user: User, start_receiver: Callable[..., Receiver]
) -> None:
    arrived, asked = threading.Event(), threading.Event()

    def slowly(_: Any) -> int:
        asked.set()
        return 204 if arrived.wait(14) else 500

    def fast_answer(_: Any) -> int:
        arrived.set()
        return 204

    slow, fast = start_receiver(slowly), start_receiver(fast_answer)
    make_deliveries(make_webhook(user, slow.url), 4)
    webhook = make_webhook(UserFactory(), fast.url)

    def make_later() -> None:
        asked.wait(14)
        make_deliveries(webhook, 1)
        connection.close()

    thread = threading.Thread(target=make_later)
    thread.start()
    assert deliver_due() == 5
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_every_delivery_once_and_share_the_limit(
    user: User, start_receiver: Callable[..., Receiver]
) -> None:
    def briefly(_: Any) -> int:
        time.sleep(0.01)
        return 204

    receiver = start_receiver(briefly)
    make_deliveries(make_webhook(user, receiver.url), 100)
    delivered = []

    def work() -> None:
        delivered.append(deliver_due(threads=8))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sum(delivered) == 100
    assert Counter(request.id for request in receiver.requests).most_common(1)[0][1] == 1
    assert receiver.most_active <= delivering.PER_WEBHOOK + 1, "the receiver counts until it has closed a connection"


@pytest.mark.parametrize("number", [300, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@pytest.mark.django_db(transaction=True)
def test_all_deliveries_reach_a_receiver_that_fails_a_third_of_the_time(
    user: User, start_receiver: Callable[..., Receiver], number: int, capsys: pytest.CaptureFixture
) -> None:
    chance = random.Random(17)

    def sometimes(_: Any) -> int:
        return 500 if chance.random() < 1 / 3 else 204

    receiver = start_receiver(sometimes)
    webhook, secret = services.create_webhook(owner=user, url=receiver.url, kinds=["note"])
    make_deliveries(webhook, number)
    started = time.monotonic()
    deliver_everything()
    seconds = time.monotonic() - started
    for request in receiver.requests:
        verify(request, secret)
    assert WebhookDelivery.objects.exclude(done_at=None).count() == number
    assert len(receiver.ids()) == number
    assert {request.content["data"]["id"] for request in receiver.requests} == set(range(number))
    with capsys.disabled():
        print(f" {number} deliveries in {len(receiver.requests)} attempts, {len(receiver.requests) / seconds:.0f}/s ")


def test_the_secret_is_not_in_the_database(user: User, receiver: Receiver) -> None:
    webhook, secret = services.create_webhook(owner=user, url=receiver.url, kinds=["note"])
    assert secret == signing.secret(webhook.salt)
    with connection.cursor() as cursor:
        cursor.execute("SELECT config_webhook::text FROM config_webhook")
        (row,) = cursor.fetchone()
    assert secret.removeprefix("whsec_") not in row
