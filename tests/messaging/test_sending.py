from typing import Any

import pytest

from messaging.models import Message, MessageRecipient
from messaging.services.sending import send_message

from ..conftest import Client
from .people import URL, NewPerson, Person


def codes(response: Any) -> set[str]:
    return {error["code"] for error in response.json()["errors"]}


def test_a_message_reaches_its_recipients_only(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("  Lunch at one?\n", bob)
    assert sent["body"] == "Lunch at one?"
    assert sent["sender"] == {"usercode": ada.code, "username": "ada"}
    assert [each["usercode"] for each in sent["recipients"]] == [bob.code]
    assert (sent["broadcast"], sent["recipient_count"]) == (False, 1)
    assert ada.bodies() == bob.bodies() == ["Lunch at one?"]
    assert eve.bodies() == []


def test_a_message_to_several_people_reaches_each_once(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("All of you", bob, eve, bob)
    assert {each["username"] for each in sent["recipients"]} == {"bob", "eve"}
    assert bob.bodies() == eve.bodies() == ["All of you"]


def test_a_message_to_oneself_is_listed_once(ada: Person) -> None:
    ada.send("Buy milk", ada)
    assert ada.bodies() == ["Buy milk"]
    assert ada.unread() == 1


def test_usercodes_are_case_insensitive(ada: Person, bob: Person) -> None:
    response = ada.client.post(URL, {"body": "x", "recipients": [bob.code.lower()]}, format="json")
    assert response.status_code == 201


def test_an_unknown_usercode_is_named_and_nothing_is_sent(ada: Person, bob: Person) -> None:
    response = ada.client.post(URL, {"body": "x", "recipients": [bob.code, "??????"]}, format="json")
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"code": "unknown_usercode", "detail": "No user has the usercode ??????.", "attr": "recipients"}
    ]
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "   ",
        "\n\t",
        "\u200b\u2060",
        "\u2800",
        "\u3164 \ufe0f",
        "a" + "\u0301" * 31,
        "x" * 4001,
        None,
        ["x"],
        {"a": 1},
        True,
    ],
)
def test_an_invalid_body_is_rejected(ada: Person, bob: Person, body: Any) -> None:
    response = ada.client.post(URL, {"body": body, "recipients": [bob.code]}, format="json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "body"


@pytest.mark.parametrize(
    "body", ["x" * 4000, "  " + "x" * 4000, "👩‍👩‍👧", "<script>alert(1)</script>", "=1+1", "مرحبا"]
)
def test_a_body_is_stored_unchanged(ada: Person, bob: Person, body: Any) -> None:
    ada.send(body, bob)
    assert bob.bodies() == [body.strip()]


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"recipients": []},
        {"broadcast": False},
        {"recipients": ["ABC123"], "broadcast": True},
        {"recipients": "ABC123"},
        {"recipients": None},
        {"recipients": [None]},
        {"recipients": [["ABC123"]]},
        {"recipients": ["A" * 5000]},
        {"recipients": ["\x00"]},
        {"recipients": ["ABC123"] * 101},
        {"broadcast": "perhaps"},
    ],
)
def test_a_message_needs_exactly_one_kind_of_target(ada: Person, target: dict[str, Any]) -> None:
    response = ada.client.post(URL, {"body": "x", **target}, format="json")
    assert response.status_code == 400
    assert not Message.objects.exists()


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"null", b"{", b'{"body": "\\ud800"}', b"[" * 100_000, b"\xff"])
def test_malformed_content_is_rejected(ada: Person, content: bytes) -> None:
    response = ada.client.generic("POST", URL, content, content_type="application/json")
    assert response.status_code == 400


def test_a_broadcast_to_nobody_is_409(ada: Person) -> None:
    ada.heartbeat()
    response = ada.client.post(URL, {"body": "Anybody?", "broadcast": True}, format="json")
    assert response.status_code == 409
    assert codes(response) == {"nobody_online"}
    assert not Message.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_recipients(
    ada: Person, person: NewPerson, django_assert_num_queries: Any
) -> None:
    people = [person(f"friend{n}") for n in range(40)]
    for count in (1, 40):
        # The users; the locks with all rows.
        with django_assert_num_queries(2):
            send_message(sender=ada.user, body="x", usercodes=[each.code for each in people[:count]])


def test_a_repeated_idempotency_key_returns_the_first_response(ada: Person, bob: Person) -> None:
    first = ada.send("Once", bob, HTTP_IDEMPOTENCY_KEY="k1")
    assert ada.send("Once", bob, HTTP_IDEMPOTENCY_KEY="k1") == first
    assert bob.bodies() == ["Once"]
    response = ada.client.post(
        URL, {"body": "Other", "recipients": [bob.code]}, format="json", HTTP_IDEMPOTENCY_KEY="k1"
    )
    assert response.status_code == 422
    assert MessageRecipient.objects.count() == 1


def test_idempotency_keys_of_two_senders_are_independent(ada: Person, bob: Person) -> None:
    ada.send("Mine", bob, HTTP_IDEMPOTENCY_KEY="k1")
    bob.send("Mine", ada, HTTP_IDEMPOTENCY_KEY="k1")
    assert len(ada.history()) == 2


def test_sending_is_throttled(ada: Person, bob: Person, settings: Any) -> None:
    settings.THROTTLE_SEND = "2/min"
    ada.send("1", bob)
    ada.send("2", bob)
    response = ada.client.post(URL, {"body": "3", "recipients": [bob.code]}, format="json")
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert ada.client.get(URL).status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_messages_require_authentication(api: Client, method: str) -> None:
    assert getattr(api, method)(URL).status_code == 401
