from typing import Any

from ..conftest import Client
from .people import URL, Person
from .test_presence import online

BLOCKS = "/api/v1/blocks/"


def block(blocker: Person, blocked: Person) -> Any:
    return blocker.client.post(f"{BLOCKS}{blocked.code}/")


def test_messages_of_a_blocked_person_do_not_arrive_and_they_see_no_difference(
    ada: Person, bob: Person, eve: Person
) -> None:
    assert block(bob, eve).status_code == 201
    before, sent = ada.send("before", bob), eve.send("Hey", bob)
    assert set(before) == set(sent)
    assert [each["usercode"] for each in sent["recipients"]] == [bob.code]
    assert bob.bodies() == ["before"]
    assert bob.bodies(**{"with": eve.code}) == []
    assert bob.unread() == 1
    assert bob.client.get(f"{URL}{sent['id']}/").status_code == 404
    assert eve.bodies(**{"with": bob.code}) == ["Hey"]
    [row] = eve.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]
    assert (row["delivered_at"], row["read_at"]) == (None, None)


def test_withheld_messages_stay_withheld_after_unblocking(bob: Person, eve: Person) -> None:
    block(bob, eve)
    eve.send("while blocked", bob)
    assert bob.client.delete(f"{BLOCKS}{eve.code}/").status_code == 204
    eve.send("afterwards", bob)
    assert bob.bodies() == ["afterwards"]


def test_messages_from_before_the_block_stay(bob: Person, eve: Person) -> None:
    eve.send("before", bob)
    block(bob, eve)
    assert bob.bodies() == ["before"]


def test_a_blocked_person_does_not_see_the_blocker_online(
    ada: Person, bob: Person, eve: Person, django_capture_on_commit_callbacks: Any
) -> None:
    for person in (ada, bob, eve):
        person.heartbeat()
    assert set(online(eve)) == {"ada", "bob", "eve"}
    with django_capture_on_commit_callbacks(execute=True):
        block(bob, eve)
    assert set(online(eve)) == {"ada", "eve"}
    assert set(online(bob)) == {"ada", "bob", "eve"}
    assert eve.send("Everybody?")["recipient_count"] == 1
    with django_capture_on_commit_callbacks(execute=True):
        bob.client.delete(f"{BLOCKS}{eve.code}/")
    assert set(online(eve)) == {"ada", "bob", "eve"}


def test_a_broadcast_does_not_count_blockers_as_online(bob: Person, eve: Person) -> None:
    bob.heartbeat()
    block(bob, eve)
    response = eve.client.post(URL, {"body": "x", "broadcast": True}, format="json")
    assert response.json()["errors"][0]["code"] == "nobody_online"


def test_users_see_only_their_own_blocks(ada: Person, bob: Person, eve: Person) -> None:
    block(bob, eve)
    again = block(bob, eve)
    assert again.status_code == 200
    [entry] = bob.client.get(BLOCKS).json()
    assert (entry["usercode"], entry["username"]) == (eve.code, "eve")
    assert eve.client.get(BLOCKS).json() == ada.client.get(BLOCKS).json() == []
    assert bob.client.delete(f"{BLOCKS}{eve.code}/").status_code == 204
    assert bob.client.delete(f"{BLOCKS}{eve.code}/").status_code == 204
    assert bob.client.get(BLOCKS).json() == []


def test_invalid_blocks_are_rejected(ada: Person, api: Client) -> None:
    assert ada.client.post(f"{BLOCKS}ZZZZZZ/").status_code == 404
    assert ada.client.delete(f"{BLOCKS}ZZZZZZ/").status_code == 404
    response = block(ada, ada)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "cannot_block_self"
    assert api.get(BLOCKS).status_code == 401
