import threading

import pytest
from django.db import connection, connections

from messaging import services
from messaging.models import Message
from messaging.querysets import History

from .people import URL


def test_the_history_is_newest_first_and_says_who_sent_it(ada, bob):
    ada.send("one", bob)
    bob.send("two", ada)
    assert [(m["body"], m["sender"]["username"]) for m in ada.history()] == [("two", "bob"), ("one", "ada")]


def test_boxes(ada, bob):
    ada.send("from ada", bob)
    bob.send("from bob", ada)
    assert ada.bodies(box="inbox") == bob.bodies(box="sent") == ["from bob"]
    assert ada.bodies(box="sent") == bob.bodies(box="inbox") == ["from ada"]
    assert ada.bodies(box="sent", unread=True) == []


def test_a_conversation_is_what_two_wrote_each_other(ada, bob, eve):
    ada.send("to bob", bob)
    bob.send("to ada", ada)
    ada.send("to eve", eve)
    ada.send("to both", bob, eve)
    assert ada.bodies(**{"with": bob.code}) == ["to both", "to ada", "to bob"]
    assert ada.bodies(**{"with": bob.code.lower()}) == ["to both", "to ada", "to bob"]
    assert bob.bodies(**{"with": eve.code}) == []
    assert ada.bodies(**{"with": ada.code}) == []


def test_a_conversation_with_oneself(ada, bob):
    ada.send("note to self", ada)
    ada.send("to bob", bob)
    assert ada.bodies(**{"with": ada.code}) == ["note to self"]


def test_unread_alone(ada, bob):
    first = ada.send("first", bob)
    ada.send("second", bob)
    bob.client.post(f"{URL}{first['id']}/read/")
    assert bob.bodies(unread=True) == ["second"]
    assert ada.bodies(unread=True) == []


def test_after_gives_the_oldest_first(ada, bob):
    first = ada.send("1", bob)
    for n in range(2, 6):
        ada.send(str(n), bob)
    assert bob.bodies(after=first["id"]) == ["2", "3", "4", "5"]
    assert bob.bodies(after=0) == ["1", "2", "3", "4", "5"]
    page = bob.client.get(URL, {"after": first["id"], "page_size": 2}).json()
    assert [m["body"] for m in page["results"]] == ["2", "3"]
    page = bob.client.get(page["next"]).json()
    assert [m["body"] for m in page["results"]] == ["4", "5"]
    assert page["next"] is None
    page = bob.client.get(page["previous"]).json()
    assert [m["body"] for m in page["results"]] == ["2", "3"]
    assert bob.client.get(URL, {"after": page["results"][-1]["id"] + 100}).json() == {
        "next": None,
        "previous": None,
        "results": [],
    }


def test_pages_lead_on_and_back(ada, bob):
    for n in range(7):
        (ada.send if n % 2 else bob.send)(str(n), *((bob,) if n % 2 else (ada,)))
    page = ada.client.get(URL, {"page_size": 3}).json()
    seen = [page]
    while page["next"]:
        page = ada.client.get(page["next"]).json()
        seen.append(page)
    assert [[m["body"] for m in page["results"]] for page in seen] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert seen[0]["previous"] is None
    back = ada.client.get(seen[2]["previous"]).json()
    assert [m["body"] for m in back["results"]] == ["3", "2", "1"]
    back = ada.client.get(back["previous"]).json()
    assert [m["body"] for m in back["results"]] == ["6", "5", "4"]
    assert back["previous"] is None
    assert back["next"]


def test_a_message_that_arrives_between_two_pages_shifts_nothing(ada, bob):
    for n in range(4):
        ada.send(str(n), bob)
    page = bob.client.get(URL, {"page_size": 2}).json()
    ada.send("new", bob)
    assert [m["body"] for m in bob.client.get(page["next"]).json()["results"]] == ["1", "0"]


@pytest.mark.parametrize(
    "query",
    [
        {"with": "ZZZZZZ"},
        {"with": "\x00"},
        {"with": "é"},
        {"box": "attic"},
        {"unread": "perhaps"},
        {"after": "x"},
        {"after": "-1"},
        {"after": "9" * 30},
        {"cursor": "x"},
        {"cursor": "cD14"},
        {"cursor": "cD0xMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="},
    ],
)
def test_what_cannot_be_asked_is_refused(ada, query):
    assert ada.client.get(URL, query).status_code == 400


@pytest.mark.parametrize(
    "query", [{"page_size": "0"}, {"page_size": "1000000"}, {"page": "1000000"}, {"after": ""}, {"with": ""}]
)
def test_what_means_nothing_is_passed_over(ada, bob, query):
    ada.send("x", bob)
    assert ada.bodies(**query) == ["x"]


def test_strangers_find_nothing(ada, bob, eve, api):
    sent = ada.send("private", bob)
    for path in (f"{URL}{sent['id']}/", f"{URL}{sent['id']}/recipients/"):
        assert eve.client.get(path).status_code == 404
        assert bob.client.get(path).status_code == 200
        assert api.get(path).status_code == 401
    assert eve.client.post(f"{URL}{sent['id']}/read/").status_code == 404
    assert eve.client.delete(f"{URL}{sent['id']}/").status_code == 404


@pytest.mark.parametrize("pk", ["0", "9" * 30, "9223372036854775807", "9223372036854775808"])
def test_ids_that_are_nobodys(ada, pk):
    assert ada.client.get(f"{URL}{pk}/").status_code == 404


def test_the_queries_of_a_page_do_not_grow_with_it(ada, bob, eve, django_assert_num_queries):
    for count in (1, 12):
        for n in range(count):
            ada.send(f"{count} {n}", bob, eve)
        bob.history()  # notes the delivery once
        with django_assert_num_queries(5):  # who asks, the ids, the messages, their recipients, one's own receipts
            assert len(bob.history()) >= count


def test_a_deleted_account_leaves_its_messages(ada, bob):
    ada.send("I was here", bob)
    ada.user.delete()
    [message] = bob.history()
    assert (message["body"], message["sender"]) == ("I was here", None)


def test_what_deleted_accounts_wrote_can_be_asked_for_and_read(ada, bob, eve):
    ada.send("I was here", bob)
    eve.send("I am here", bob)
    bob.send("Both of you", ada, eve)
    ada.user.delete()
    assert bob.bodies(from_deleted=True) == bob.bodies(from_deleted=True, unread=True) == ["I was here"]
    assert bob.bodies(from_deleted=True, box="sent") == []
    assert eve.bodies(from_deleted=True) == []
    up_to = bob.history()[0]["id"]
    answer = bob.client.post(f"{URL}read/", {"up_to": up_to, "from_deleted": True}, format="json")
    assert answer.json() == {"unread": 1}
    assert bob.bodies(unread=True) == ["I am here"]


def test_a_broadcast_of_a_deleted_account_is_one_of_theirs_before_its_rows_are_made(ada, bob):
    for each in (ada, bob):
        each.beat()
    ada.send("Farewell")
    ada.user.delete()
    assert bob.bodies(from_deleted=True) == ["Farewell"]
    services.fan_out_broadcasts()
    assert bob.bodies(from_deleted=True) == ["Farewell"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_is_both_deleted_and_somebody(ada, bob, method):
    asked = {"from_deleted": "true", "with": bob.code, "up_to": 1}
    answer = bob.client.get(URL, asked) if method == "get" else bob.client.post(f"{URL}read/", asked, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "from_deleted"


@pytest.mark.django_db(transaction=True)
def test_every_list_is_a_range_of_an_index(ada, bob, eve):
    """With many rows about, no part of any history is a scan, a sort or a filter of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messaging_message (sender_id, body, broadcast, recipient_count, created_at)
            SELECT CASE WHEN n %% 40 = 0 THEN %(ada)s ELSE %(eve)s END, 'x', n %% 200 = 0, 1, now()
            FROM generate_series(1, 20000) n;
            INSERT INTO messaging_messagerecipient (message_id, recipient_id, sender_id, broadcast, withheld,
                delivered_at, read_at)
            SELECT id, CASE WHEN id %% 20 = 0 THEN %(bob)s ELSE %(eve)s END, sender_id, broadcast, false,
                CASE WHEN id %% 100 > 0 THEN now() END, CASE WHEN id %% 100 > 0 THEN now() END
            FROM messaging_message;
            UPDATE messaging_messagerecipient SET sender_id = NULL WHERE id %% 1000 = 0;
            """,
            {"ada": ada.user.pk, "bob": bob.user.pk, "eve": eve.user.pk},
        )
        cursor.execute("VACUUM ANALYZE messaging_message")
        cursor.execute("VACUUM ANALYZE messaging_messagerecipient")
    middle = Message.objects.order_by("pk")[15_000].pk
    for history in (
        History(bob.user),
        History(bob.user, peer=ada.user),
        History(ada.user, peer=bob.user),
        History(bob.user, box="inbox"),
        History(ada.user, box="sent"),
        History(bob.user, unread=True),
        History(bob.user, from_deleted=True),
        History(bob.user, broadcast=True),
        History(ada.user, broadcast=True),
    ):
        for arm in history.arms:
            for order in ("feed", "-feed"):
                page = arm.filter(feed__lt=middle).order_by(order).values_list("feed", flat=True)[:51]
                plan = page.explain(analyze=True)
                assert "Seq Scan on messaging_message" not in plan, plan
                assert "Rows Removed by Filter" not in plan, plan


@pytest.mark.django_db(transaction=True)
def test_after_skips_nothing_while_twenty_write_at_once(person, bob):
    """Whoever polls with the last id they saw gets every message, though the senders' commits cross."""
    senders = [person(f"sender{n}") for n in range(10)]
    failures = []

    def send(sender):
        try:
            for n in range(8):
                sender.send(f"{sender.user.username} {n}", bob)
        except AssertionError as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    seen, last = [], 0
    while any(thread.is_alive() for thread in threads) or Message.objects.filter(pk__gt=last).exists():
        for message in bob.history(after=last):
            seen.append(message["body"])
            last = message["id"]
    assert not failures
    assert len(seen) == len(set(seen)) == 80


@pytest.mark.django_db(transaction=True)
def test_twenty_requests_of_one_key_make_one_message(ada, bob):
    answers = []

    def send():
        try:
            answers.append(ada.send("Once", bob, HTTP_IDEMPOTENCY_KEY="the same")["id"])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert len(set(answers)) == 1
    assert bob.bodies() == ["Once"]
