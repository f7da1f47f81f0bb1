import threading
from typing import Any

import pytest
from django.db import connection, connections
from django.utils.dateparse import parse_datetime

from messaging.history import History
from messaging.models import Message
from messaging.representation import MessageSerializer
from messaging.services import broadcasts

from ..conftest import Client
from .people import URL, NewPerson, Person


def test_the_history_is_newest_first_and_names_the_sender(ada: Person, bob: Person) -> None:
    ada.send("one", bob)
    bob.send("two", ada)
    assert [(m["body"], m["sender"]["username"]) for m in ada.history()] == [("two", "bob"), ("one", "ada")]


def test_the_boxes_contain_received_and_sent_messages(ada: Person, bob: Person) -> None:
    ada.send("from ada", bob)
    bob.send("from bob", ada)
    assert ada.bodies(box="inbox") == bob.bodies(box="sent") == ["from bob"]
    assert ada.bodies(box="sent") == bob.bodies(box="inbox") == ["from ada"]
    assert ada.bodies(box="sent", unread=True) == []


def test_a_conversation_contains_the_messages_between_two_people(ada: Person, bob: Person, eve: Person) -> None:
    ada.send("to bob", bob)
    bob.send("to ada", ada)
    ada.send("to eve", eve)
    ada.send("to both", bob, eve)
    assert ada.bodies(**{"with": bob.code}) == ["to both", "to ada", "to bob"]
    assert ada.bodies(**{"with": bob.code.lower()}) == ["to both", "to ada", "to bob"]
    assert bob.bodies(**{"with": eve.code}) == []
    assert ada.bodies(**{"with": ada.code}) == []


def test_a_conversation_with_oneself(ada: Person, bob: Person) -> None:
    ada.send("note to self", ada)
    ada.send("to bob", bob)
    assert ada.bodies(**{"with": ada.code}) == ["note to self"]


def test_the_unread_filter(ada: Person, bob: Person) -> None:
    first = ada.send("first", bob)
    ada.send("second", bob)
    bob.client.post(f"{URL}{first['id']}/read/")
    assert bob.bodies(unread=True) == ["second"]
    assert ada.bodies(unread=True) == []


def test_after_gives_the_oldest_first(ada: Person, bob: Person) -> None:
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


def test_before_gives_the_newest_first(ada: Person, bob: Person) -> None:
    ids = [ada.send(str(n), bob)["id"] for n in range(5)]
    assert bob.bodies(before=ids[3]) == ["2", "1", "0"]
    assert bob.bodies(before=ids[3], after=ids[0]) == ["1", "2"]
    page = bob.client.get(URL, {"before": ids[4], "page_size": 2}).json()
    assert [m["body"] for m in page["results"]] == ["3", "2"]
    page = bob.client.get(page["next"]).json()
    assert [m["body"] for m in page["results"]] == ["1", "0"]
    page = bob.client.get(page["previous"]).json()
    assert [m["body"] for m in page["results"]] == ["3", "2"]


def test_pages_link_to_the_next_and_previous_page(ada: Person, bob: Person) -> None:
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


def test_a_message_that_arrives_between_two_pages_shifts_nothing(ada: Person, bob: Person) -> None:
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
        {"before": "-1"},
        {"cursor": "x"},
        {"cursor": "cD14"},
        {"cursor": "cD0xMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="},
    ],
)
def test_an_invalid_query_is_rejected(ada: Person, query: dict[str, str]) -> None:
    assert ada.client.get(URL, query).status_code == 400


@pytest.mark.parametrize(
    "query", [{"page_size": "0"}, {"page_size": "1000000"}, {"page": "1000000"}, {"after": ""}, {"with": ""}]
)
def test_meaningless_parameters_are_ignored(ada: Person, bob: Person, query: dict[str, str]) -> None:
    ada.send("x", bob)
    assert ada.bodies(**query) == ["x"]


def test_strangers_get_404(ada: Person, bob: Person, eve: Person, api: Client) -> None:
    sent = ada.send("private", bob)
    for path in (f"{URL}{sent['id']}/", f"{URL}{sent['id']}/recipients/"):
        assert eve.client.get(path).status_code == 404
        assert bob.client.get(path).status_code == 200
        assert api.get(path).status_code == 401
    assert eve.client.post(f"{URL}{sent['id']}/read/").status_code == 404
    assert eve.client.delete(f"{URL}{sent['id']}/").status_code == 404


@pytest.mark.parametrize("pk", ["0", "9" * 30, "9223372036854775807", "9223372036854775808"])
def test_an_unknown_id_is_404(ada: Person, pk: str) -> None:
    assert ada.client.get(f"{URL}{pk}/").status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_page(
    ada: Person, bob: Person, eve: Person, django_assert_num_queries: Any
) -> None:
    for count in (1, 12):
        for n in range(count):
            ada.send(f"{count} {n}", bob, eve)
        bob.history()  # marks the messages as delivered
        with django_assert_num_queries(2):  # the user, the messages
            assert len(bob.history()) >= count


def test_the_serializer_describes_the_json_of_a_message(ada: Person, bob: Person) -> None:
    described = MessageSerializer()
    sent = ada.send("Lunch at one?", bob)
    for message in (sent, *ada.history(), *bob.history(), bob.client.get(f"{URL}{sent['id']}/").json()):
        assert list(message) == list(described.fields)
        assert list(message["sender"]) == list(described.fields["sender"].fields)
        at = parse_datetime(message["created_at"])
        assert described.fields["created_at"].to_representation(at) == message["created_at"]


def test_a_message_looks_the_same_when_it_is_sent_and_listed(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("Lunch at one?", bob, eve)
    assert ada.history() == [sent]
    for each in sent["recipients"]:
        assert list(each) == ["usercode", "username", "delivered_at", "read_at"]
        del each["delivered_at"], each["read_at"]
    assert bob.history() == [sent]


def test_a_deleted_account_leaves_its_messages(ada: Person, bob: Person) -> None:
    ada.send("I was here", bob)
    ada.user.delete()
    [message] = bob.history()
    assert (message["body"], message["sender"]) == ("I was here", None)


def test_messages_of_deleted_accounts_can_be_listed_and_read(ada: Person, bob: Person, eve: Person) -> None:
    ada.send("I was here", bob)
    eve.send("I am here", bob)
    bob.send("Both of you", ada, eve)
    ada.user.delete()
    assert bob.bodies(from_deleted=True) == bob.bodies(from_deleted=True, unread=True) == ["I was here"]
    assert bob.bodies(from_deleted=True, box="sent") == []
    assert eve.bodies(from_deleted=True) == []
    up_to = bob.history()[0]["id"]
    response = bob.client.post(f"{URL}read/", {"up_to": up_to, "from_deleted": True}, format="json")
    assert response.json() == {"unread": 1}
    assert bob.bodies(unread=True) == ["I am here"]


def test_a_broadcast_of_a_deleted_account_is_listed_before_its_receipts_exist(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    ada.send("Farewell")
    ada.user.delete()
    assert bob.bodies(from_deleted=True) == ["Farewell"]
    broadcasts.fan_out_broadcasts()
    assert bob.bodies(from_deleted=True) == ["Farewell"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_from_deleted_cannot_be_combined_with_a_person(ada: Person, bob: Person, method: str) -> None:
    query = {"from_deleted": "true", "with": bob.code, "up_to": 1}
    response = bob.client.get(URL, query) if method == "get" else bob.client.post(f"{URL}read/", query, format="json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "from_deleted"


@pytest.mark.django_db(transaction=True)
def test_every_history_reads_only_index_ranges(ada: Person, bob: Person, eve: Person) -> None:
    """Among many rows no part of any history scans the table or filters rows."""
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
        for each in history.ranges:
            for order in ("position", "-position"):
                page = each.filter(position__lt=middle).order_by(order).values_list("position", flat=True)[:51]
                plan = page.explain(analyze=True)
                assert "Seq Scan on messaging_message" not in plan, plan
                assert "Rows Removed by Filter" not in plan, plan


@pytest.mark.django_db(transaction=True)
def test_after_skips_nothing_while_ten_people_write_at_once(person: NewPerson, bob: Person) -> None:
    """A client that polls with the last id gets every message, although the senders' commits overlap."""
    senders = [person(f"sender{n}") for n in range(10)]
    failures = []

    def send(sender: Person) -> None:
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
def test_twenty_requests_with_one_key_create_one_message(ada: Person, bob: Person) -> None:
    responses = []

    def send() -> None:
        try:
            responses.append(ada.send("Once", bob, HTTP_IDEMPOTENCY_KEY="the same key")["id"])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(responses) == 20
    assert len(set(responses)) == 1
    assert bob.bodies() == ["Once"]
