import pytest

from messaging.models import Message, MessageRecipient

from .people import URL


def codes(answer):
    return {error["code"] for error in answer.json()["errors"]}


def test_a_message_arrives_at_whom_it_names(ada, bob, eve):
    sent = ada.send("  Lunch at one?\n", bob)
    assert sent["body"] == "Lunch at one?"
    assert sent["sender"] == {"usercode": ada.code, "username": "ada"}
    assert [each["usercode"] for each in sent["recipients"]] == [bob.code]
    assert (sent["broadcast"], sent["recipient_count"]) == (False, 1)
    assert ada.bodies() == bob.bodies() == ["Lunch at one?"]
    assert eve.bodies() == []


def test_a_message_to_several_arrives_at_each_once(ada, bob, eve):
    sent = ada.send("All of you", bob, eve, bob)
    assert {each["username"] for each in sent["recipients"]} == {"bob", "eve"}
    assert bob.bodies() == eve.bodies() == ["All of you"]


def test_a_message_to_oneself_comes_once(ada):
    ada.send("Buy milk", ada)
    assert ada.bodies() == ["Buy milk"]
    assert ada.unread() == 1


def test_usercodes_are_taken_in_lower_case_too(ada, bob):
    answer = ada.client.post(URL, {"body": "x", "recipients": [bob.code.lower()]}, format="json")
    assert answer.status_code == 201


def test_somebody_unknown_is_named_and_nothing_is_sent(ada, bob):
    answer = ada.client.post(URL, {"body": "x", "recipients": [bob.code, "??????"]}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"code": "unknown_usercode", "detail": "Nobody has the usercode ??????.", "attr": "recipients"}
    ]
    assert not Message.objects.exists()


@pytest.mark.parametrize("body", ["", "   ", "\n\t", "\u200b\u2060", "x" * 4001, None, ["x"], {"a": 1}, True])
def test_a_body_that_is_none_is_refused(ada, bob, body):
    answer = ada.client.post(URL, {"body": body, "recipients": [bob.code]}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "body"


@pytest.mark.parametrize(
    "body", ["x" * 4000, "  " + "x" * 4000, "👩‍👩‍👧", "<script>alert(1)</script>", "=1+1", "مرحبا"]
)
def test_a_body_is_kept_as_it_is(ada, bob, body):
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
def test_a_message_without_one_clear_target_is_refused(ada, target):
    answer = ada.client.post(URL, {"body": "x", **target}, format="json")
    assert answer.status_code == 400
    assert not Message.objects.exists()


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"null", b"{", b'{"body": "\\ud800"}', b"[" * 100_000, b"\xff"])
def test_what_is_no_message_at_all_is_refused(ada, content):
    answer = ada.client.generic("POST", URL, content, content_type="application/json")
    assert answer.status_code == 400


def test_nobody_online_means_no_broadcast(ada):
    ada.beat()
    answer = ada.client.post(URL, {"body": "Anybody?", "broadcast": True}, format="json")
    assert answer.status_code == 409
    assert codes(answer) == {"nobody_online"}
    assert not Message.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_recipients(ada, person, django_assert_num_queries):
    from messaging import services

    people = [person(f"friend{n}") for n in range(40)]
    for count in (1, 40):
        with django_assert_num_queries(7):
            services.send_message(sender=ada.user, body="x", usercodes=[each.code for each in people[:count]])


def test_a_key_gets_the_first_answer_again(ada, bob):
    first = ada.send("Once", bob, HTTP_IDEMPOTENCY_KEY="k1")
    assert ada.send("Once", bob, HTTP_IDEMPOTENCY_KEY="k1") == first
    assert bob.bodies() == ["Once"]
    answer = ada.client.post(URL, {"body": "Other", "recipients": [bob.code]}, format="json", HTTP_IDEMPOTENCY_KEY="k1")
    assert answer.status_code == 422
    assert MessageRecipient.objects.count() == 1


def test_a_key_is_each_senders_own(ada, bob):
    ada.send("Mine", bob, HTTP_IDEMPOTENCY_KEY="k1")
    bob.send("Mine", ada, HTTP_IDEMPOTENCY_KEY="k1")
    assert len(ada.history()) == 2


def test_sending_is_throttled(ada, bob, settings):
    settings.THROTTLE_SEND = "2/min"
    ada.send("1", bob)
    ada.send("2", bob)
    answer = ada.client.post(URL, {"body": "3", "recipients": [bob.code]}, format="json")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert ada.client.get(URL).status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_takes_a_sign_in(api, method):
    assert getattr(api, method)(URL).status_code == 401
