import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.sql import last_messages

from .people import NewPerson, Person

URL = "/api/v1/conversations/"


def test_conversations_list_each_person_with_the_last_message(
    ada: Person, bob: Person, eve: Person, person: NewPerson
) -> None:
    ada.send("one", bob)
    eve.send("two", ada)
    last = bob.send("three", ada)
    ada.send("to myself", ada)
    response = ada.client.get(URL).json()
    assert response["next_before"] is None
    assert [
        (each["person"]["username"], each["last_message"]["body"], each["last_message"]["mine"], each["unread"])
        for each in response["results"]
    ] == [("ada", "to myself", True, 1), ("bob", "three", False, 1), ("eve", "two", False, 1)]
    assert response["results"][1]["last_message"]["id"] == last["id"]
    assert person("nobody").client.get(URL).json() == {"next_before": None, "results": []}


def pages(person: Person, page_size: int) -> list[list[str]]:
    """Follow ``next_before`` to the end; returns the usernames of each page."""
    found: list[list[str]] = []
    query = {"page_size": page_size}
    while True:
        page = person.client.get(URL, query).json()
        found.append([each["person"]["username"] for each in page["results"]])
        if page["next_before"] is None:
            return found
        query["before"] = page["next_before"]


def test_a_busy_conversation_hides_no_other(ada: Person, bob: Person, eve: Person) -> None:
    eve.send("once", ada)
    for _ in range(30):
        bob.send("again", ada)
        ada.send("and again", bob)
    assert pages(ada, 1) == [["bob"], ["eve"]]


def test_conversations_are_paged_by_their_last_message(ada: Person, person: NewPerson) -> None:
    friends = [person(f"friend{n}") for n in range(5)]
    for friend in friends:
        friend.send("in", ada)
    ada.send("out", friends[0])
    assert pages(ada, 2) == [["friend0", "friend4"], ["friend3", "friend2"], ["friend1"]]


def test_a_page_contains_all_recipients_of_a_message(ada: Person, bob: Person, eve: Person, person: NewPerson) -> None:
    ada.send("first", person("friend"))
    ada.send("both", bob, eve)
    assert pages(ada, 1) == [["bob", "eve"], ["friend"]]


def test_messages_of_deleted_accounts_are_in_no_conversation(ada: Person, bob: Person, eve: Person) -> None:
    bob.send("old", ada)
    eve.send("one", ada)
    ada.send("two", eve)
    eve.user.delete()
    assert pages(ada, 50) == [["bob"]]


def test_withheld_messages_are_in_the_conversations_of_the_sender_only(bob: Person, eve: Person) -> None:
    bob.client.post(f"/api/v1/blocks/{eve.code}/")
    eve.send("while blocked", bob)
    assert pages(bob, 50) == [[]]
    assert pages(eve, 50) == [["bob"]]


@pytest.mark.parametrize("query", [{"before": "x"}, {"before": "-1"}, {"before": "9" * 30}, {"page_size": "0"}])
def test_an_invalid_query_is_rejected(ada: Person, query: dict[str, str]) -> None:
    assert ada.client.get(URL, query).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_the_cost_depends_on_people_and_not_on_messages(ada: Person, bob: Person, eve: Person) -> None:
    """Every skip scan reads one row of an index for each person, also among many withheld and read messages."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messaging_message (sender_id, body, broadcast, recipient_count, created_at)
            SELECT CASE n %% 3 WHEN 0 THEN %(ada)s ELSE %(bob)s END, 'x', false, 1, now()
            FROM generate_series(1, 20000) n;
            INSERT INTO messaging_messagerecipient (message_id, recipient_id, sender_id, broadcast, withheld,
                delivered_at, read_at)
            SELECT id, CASE WHEN sender_id = %(ada)s THEN %(bob)s ELSE %(ada)s END, sender_id, false, id %% 5 = 0,
                CASE WHEN id %% 5 > 1 THEN now() END, CASE WHEN id %% 5 > 1 THEN now() END
            FROM messaging_message;
            """,
            {"ada": ada.user.pk, "bob": bob.user.pk},
        )
    eve.send("hello", ada)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE messaging_message")
        cursor.execute("VACUUM ANALYZE messaging_messagerecipient")
    with CaptureQueriesContext(connection) as queries:
        assert [each.peer_id for each in last_messages(ada.user, before=None, limit=50)[0]] == [
            eve.user.pk,
            bob.user.pk,
        ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries[0]['sql']}")
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200, plan
