import time

from accounts.models import User
from config import wire
from config.caching import redis_client
from messaging import services

from ..conftest import Client
from ..factories import UserFactory
from .people import URL, Person
from .test_presence import away


def test_a_broadcast_goes_to_those_online_but_oneself(ada, bob, eve):
    for each in (ada, bob, eve):
        each.beat()
    away(eve)
    sent = ada.send("Hello, everybody")
    assert sent["broadcast"]
    assert sent["recipients"] == [{"usercode": bob.code, "username": "bob", "delivered_at": None, "read_at": None}]
    assert sent["recipient_count"] == 1


def test_a_broadcast_is_there_before_the_worker_has_made_its_rows(ada, bob, eve):
    for each in (ada, bob):
        each.beat()
    sent = ada.send("Hello, everybody")
    assert bob.bodies() == bob.bodies(**{"with": ada.code}) == bob.bodies(broadcast=True) == ["Hello, everybody"]
    assert ada.bodies(**{"with": bob.code}) == ["Hello, everybody"]
    assert bob.client.get(f"{URL}{sent['id']}/").status_code == 200
    assert [r["username"] for r in ada.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]] == ["bob"]
    assert eve.bodies() == []
    assert eve.client.get(f"{URL}{sent['id']}/").status_code == 404


def test_who_comes_online_later_does_not_get_it(ada, bob, person):
    for each in (ada, bob):
        each.beat()
    ada.send("For those here")
    late = Person(user := UserFactory(username="late"), Client().as_user(user))
    late.beat()
    assert services.fan_out_broadcasts() == 1
    assert late.bodies() == []
    assert bob.bodies() == ["For those here"]
    assert bob.unread() == 1
    assert services.fan_out_broadcasts() == 0
    assert bob.bodies() == ["For those here"]


def test_a_broadcast_to_many_lists_the_first_hundred(ada, person):
    people = User.objects.bulk_create(
        User(username=f"guest{n}", email=f"guest{n}@example.org", usercode=f"GUE{n:03}") for n in range(130)
    )
    redis_client().zadd(wire.ONLINE, {str(each.pk): time.time() for each in people})
    sent = ada.send("All of you")
    assert sent["recipient_count"] == 130
    assert len(sent["recipients"]) == 100
    for _ in range(2):
        page = ada.client.get(f"{URL}{sent['id']}/recipients/", {"page_size": 100}).json()
        rest = ada.client.get(page["next"]).json()
        names = [each["username"] for each in page["results"] + rest["results"]]
        assert names == [each.username for each in people]
        services.fan_out_broadcasts()
    assert ada.history()[0]["recipient_count"] == 130


def test_accounts_deleted_before_the_fan_out_are_left_out(ada, bob, eve):
    for each in (ada, bob, eve):
        each.beat()
    ada.send("Hello")
    bob.user.delete()
    assert services.fan_out_broadcasts() == 1
    assert eve.unread() == 1
