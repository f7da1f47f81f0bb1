"""``/api/v1/webhooks/``: owners manage their webhooks, and strangers see nothing of them."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User
from accounts.personal_data import document
from accounts.services.deletion import remove_user
from config.models import IdempotencyKey
from config.webhooks import services
from config.webhooks.delivering import deliver_due
from config.webhooks.models import Webhook, WebhookDelivery

from ..conftest import Client
from ..factories import UserFactory
from .conftest import Receiver, make_deliveries, make_webhook, verify

URL = "/api/v1/webhooks/"
BODY = {"url": "https://hooks.example.org/atrium", "kinds": ["note", "message"], "description": "Wiki"}
KEY = {"HTTP_IDEMPOTENCY_KEY": "one"}


def code(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["errors"][0]
    return response.status_code, error["code"], error["attr"]


def test_the_secret_is_shown_once(signed_in: Client) -> None:
    made = signed_in.post(URL, BODY)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert made.json()["kinds"] == ["message", "note"]
    (listed,) = signed_in.get(URL).json()
    assert listed == signed_in.get(f"{URL}{listed['id']}/").json()
    assert "secret" not in listed
    assert {**listed, "secret": made.json()["secret"]} == made.json()


def test_a_repeated_request_gets_the_answer_without_the_secret(signed_in: Client) -> None:
    first = signed_in.post(URL, BODY, **KEY)
    again = signed_in.post(URL, {**BODY, "active": True, "kinds": ["message", "note"]}, **KEY)
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.json()["secret"]
    assert again.json() == {**first.json(), "secret": None}
    assert Webhook.objects.count() == 1
    assert first.json()["secret"].encode() not in bytes(IdempotencyKey.objects.get().body)


@pytest.mark.parametrize(
    "change, error",
    [
        ({"url": "http://10.0.0.1/"}, "invalid_url"),
        ({"url": "https://0xa000001/"}, "invalid_url"),
        ({"url": "https://user:password@example.org/"}, "invalid_url"),
        ({"url": "https://[::ffff:a9fe:a9fe]/"}, "invalid_url"),
        ({"url": "https://example.org/" + "a" * 2000}, "max_length"),
        ({"url": 5}, "invalid"),
        ({"url": None}, "null"),
        ({"url": "https://example.org/\x00"}, None),
        ({"kinds": []}, "empty"),
        ({"kinds": "note"}, "not_a_list"),
        ({"kinds": ["ping"]}, "invalid_choice"),
        ({"description": "a" * 201}, "max_length"),
        ({"colour": "red"}, "unknown_field"),
    ],
)
def test_invalid_values_name_their_field(signed_in: Client, change: dict[str, Any], error: str | None) -> None:
    response = signed_in.post(URL, {**BODY, **change})
    status, found, attr = code(response)
    assert (status, (attr or "").partition(".")[0]) == (400, next(iter(change)))
    assert error in (None, found)


def test_http_is_refused_by_default(signed_in: Client, settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_HTTP = False
    assert code(signed_in.post(URL, {**BODY, "url": "http://example.org/"})) == (400, "invalid_url", "url")


def test_a_person_has_ten_at_most(signed_in: Client, user: User) -> None:
    for _ in range(services.MAX_PER_USER):
        assert signed_in.post(URL, BODY).status_code == 201
    assert code(signed_in.post(URL, BODY)) == (409, "too_many_webhooks", None)
    make_webhook(UserFactory(), "https://example.org/")
    signed_in.delete(f"{URL}{Webhook.objects.visible_to(user).first().pk}/")
    assert signed_in.post(URL, BODY).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_ten_at_most_also_at_the_same_time(api: Client, user: User) -> None:
    clients = [api.as_user(user) for _ in range(4)]

    def create(client: Client) -> None:
        for _ in range(4):
            client.post(URL, BODY)
        connection.close()

    threads = [threading.Thread(target=create, args=(client,)) for client in clients]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert Webhook.objects.count() == services.MAX_PER_USER


def test_an_object_can_be_changed_and_sent_back_whole(signed_in: Client) -> None:
    made = signed_in.post(URL, BODY).json()
    url = f"{URL}{made['id']}/"
    read = signed_in.get(url).json()
    changed = signed_in.patch(url, {**read, "kinds": ["trends", "trends"], "active": False})
    assert (changed.status_code, changed.json()) == (200, {**read, "kinds": ["trends"], "active": False})
    assert code(signed_in.patch(url, {"url": "https://10.1/"})) == (400, "invalid_url", "url")


def test_switching_off_ends_what_waits_and_switching_on_forgets_failures(signed_in: Client, user: User) -> None:
    webhook = make_webhook(user, "https://example.org/")
    make_deliveries(webhook, 2)
    signed_in.patch(f"{URL}{webhook.pk}/", {"active": False})
    results = signed_in.get(f"{URL}{webhook.pk}/deliveries/").json()["results"]
    assert {(each["status"], each["error"], each["next_attempt_at"]) for each in results} == {
        ("failed", services.OFF, None)
    }
    Webhook.objects.update(failing_since=Now(), disabled_reason="failing")
    assert signed_in.get(f"{URL}{webhook.pk}/").json()["disabled_reason"] == "failing"
    answer = signed_in.patch(f"{URL}{webhook.pk}/", {"active": True}).json()
    assert (answer["failing_since"], answer["disabled_reason"]) == (None, None)


def test_a_ping_arrives_signed(signed_in: Client, receiver: Receiver) -> None:
    made = signed_in.post(URL, {**BODY, "url": receiver.url}).json()
    first = signed_in.post(f"{URL}{made['id']}/test/", **KEY)
    again = signed_in.post(f"{URL}{made['id']}/test/", **KEY)
    assert (first.status_code, first.json()["status"], again.json()) == (202, "waiting", first.json())
    deliver_due()
    (request,) = receiver.requests
    verify(request, made["secret"])
    assert (request.content["type"], request.content["data"]) == ("ping", {"id": made["id"]})
    (delivery,) = signed_in.get(f"{URL}{made['id']}/deliveries/").json()["results"]
    assert (delivery["status"], delivery["message_id"], delivery["response_status"]) == ("delivered", request.id, 204)


def test_a_new_secret_replaces_the_old_one(signed_in: Client) -> None:
    made = signed_in.post(URL, BODY).json()
    answer = signed_in.post(f"{URL}{made['id']}/secret/")
    assert answer.status_code == 200
    assert answer.json()["secret"] not in (made["secret"], None)


def test_a_delivery_is_resent_with_the_same_id(signed_in: Client, user: User, receiver: Receiver) -> None:
    webhook = make_webhook(user, receiver.url)
    receiver.answer = 410
    make_deliveries(webhook, 1)
    deliver_due()
    url = f"{URL}{webhook.pk}/deliveries/{WebhookDelivery.objects.get().pk}/resend/"
    assert code(signed_in.post(url)) == (409, "webhook_inactive", None)
    assert code(signed_in.post(f"{URL}{webhook.pk}/test/")) == (409, "webhook_inactive", None)
    signed_in.patch(f"{URL}{webhook.pk}/", {"active": True})
    receiver.answer = 204
    answer = signed_in.post(url)
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "waiting", None)
    deliver_due()
    assert WebhookDelivery.objects.get().status == "delivered"
    assert len(receiver.requests) == 2
    assert len(receiver.ids()) == 1


def test_the_list_of_deliveries_is_a_feed(signed_in: Client, user: User) -> None:
    webhook = make_webhook(user, "https://example.org/")
    make_deliveries(webhook, 5)
    page = signed_in.get(f"{URL}{webhook.pk}/deliveries/?page_size=2").json()
    ids = [each["id"] for each in page["results"]]
    rest = signed_in.get(page["next"]).json()["results"]
    assert ids + [each["id"] for each in rest] == sorted((ids + [each["id"] for each in rest]), reverse=True)


def test_deliveries_end_after_30_days(user: User) -> None:
    webhook = make_webhook(user, "https://example.org/")
    make_deliveries(webhook, 3)
    first, second, _ = WebhookDelivery.objects.order_by("pk")
    old = Now() - timedelta(days=30)
    WebhookDelivery.objects.filter(pk=first.pk).update(done_at=Now(), created_at=old)
    WebhookDelivery.objects.filter(pk=second.pk).update(failed_at=Now(), created_at=Now() - timedelta(days=29))
    assert services.delete_expired() == 1
    assert not WebhookDelivery.objects.filter(pk=first.pk).exists()


def test_a_stranger_sees_nothing(api: Client, user: User) -> None:
    webhook = make_webhook(user, "https://example.org/")
    make_deliveries(webhook, 1)
    stranger = api.as_user(UserFactory(is_staff=True, is_superuser=True))
    other = make_webhook(UserFactory(), "https://example.org/")
    delivery = WebhookDelivery.objects.get().pk
    assert stranger.get(URL).json() == []
    for method, path in (
        ("get", f"{webhook.pk}/"), ("patch", f"{webhook.pk}/"), ("delete", f"{webhook.pk}/"),
        ("post", f"{webhook.pk}/test/"), ("post", f"{webhook.pk}/secret/"), ("get", f"{webhook.pk}/deliveries/"),
        ("post", f"{webhook.pk}/deliveries/{delivery}/resend/"),
    ):  # fmt: skip
        assert getattr(stranger, method)(URL + path).status_code == 404, path
        assert getattr(api, method)(URL + path).status_code == 401, path
    owner = api.as_user(user)
    assert owner.post(f"{URL}{other.pk}/deliveries/{delivery}/resend/").status_code == 404
    assert owner.get(f"{URL}{2**70}/").status_code == 404


def test_webhooks_are_in_the_export_and_end_with_the_account(user: User, api: Client) -> None:
    webhook = make_webhook(user, "https://hooks.example.org/mine")
    make_deliveries(webhook, 1)
    (exported,) = document(user)["webhooks"]
    assert exported["url"] == "https://hooks.example.org/mine"
    assert len(exported["deliveries"]) == 1
    assert not {"salt", "secret"} & exported.keys()
    remove_user(user)
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_metrics_show_attempts_and_what_waits(api: Client, user: User, receiver: Receiver) -> None:
    webhook = make_webhook(user, receiver.url)
    make_deliveries(webhook, 2)
    deliver_due()
    make_deliveries(webhook, 1)
    text = api.get("/metrics/").content.decode()
    assert 'atrium_webhook_attempts_total{result="accepted"} 2.0' in text
    assert "atrium_webhook_deliveries_waiting 1.0" in text
    assert "atrium_webhook_late_seconds" in text
