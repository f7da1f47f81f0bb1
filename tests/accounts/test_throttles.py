"""Guessing is slowed down, and nobody is locked out by it who should get in."""

import threading

import pytest
from django.db import connection

from accounts.backends import BACKEND
from accounts.models import User

from ..factories import PASSWORD, UserFactory
from .steps import AUTH, bearer, log_in

GUESSER = "203.0.113.9"


def guess(client, email, ip=GUESSER, password="wrong", **headers):
    return client.post(f"{AUTH}login/", {"email": email, "password": password}, REMOTE_ADDR=ip, **headers)


@pytest.fixture(autouse=True)
def rates(settings):
    settings.THROTTLE_LOGIN = "5/min"


def test_a_guesser_is_stopped_and_told_when_to_come_again(api, user):
    answers = [guess(api, user.email) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["errors"][0]["code"] == "throttled"


def test_a_stopped_guesser_does_not_stop_the_owner(api, user):
    for _ in range(50):
        guess(api, user.email)
    assert guess(api, user.email, ip="192.0.2.7", password=PASSWORD).status_code == 200


def test_guessers_from_many_places_are_stopped_for_the_account(api, user):
    answers = [guess(api, user.email, ip=f"203.0.113.{n}").status_code for n in range(20)]
    assert answers == [401] * 10 + [429] * 10
    assert guess(api, "other@example.org", ip="203.0.113.100").status_code == 401, "only this account"


def test_an_address_spelled_in_other_ways_is_the_same_account(api):
    # The domain in letters of full width is the same one to the mail, in more ways than anybody would count.
    person = UserFactory(email="ada@example.org")
    wide = [f"ada@{'example'[:n]}{chr(ord('example'[n]) + 0xFEE0)}{'example'[n + 1 :]}.org" for n in range(7)]
    spelled = ["ada@example.org", "ADA@example.org", " ada@example.org", "ada@EXAMPLE.org", *wide]
    assert all(User.objects.by_email(each).get() == person for each in spelled)
    answers = [guess(api, each, ip=f"203.0.113.{n}").status_code for n, each in enumerate([*spelled, *spelled])]
    assert answers == [401] * 10 + [429] * (2 * len(spelled) - 10)


def test_a_name_of_megabytes_is_not_looked_at(api):
    assert guess(api, "x" * 4_000_000 + "@example.org").status_code == 400


def test_the_owners_known_devices_get_in_while_many_places_guess(api, user):
    log_in(api, user, REMOTE_ADDR="192.0.2.7")
    for n in range(20):
        guess(api, user.email, ip=f"203.0.113.{n}")
    assert guess(api, user.email, ip="192.0.2.8", password=PASSWORD).status_code == 429, "a device never seen"
    assert guess(api, user.email, ip="192.0.2.7", password=PASSWORD).status_code == 200


def test_only_the_throttle_counts_log_ins(api, user, settings, django_assert_num_queries):
    """Not django-axes as well, which guards the admin's door alone."""
    settings.THROTTLE_LOGIN = ""
    for _ in range(30):
        assert guess(api, user.email).status_code == 401
    with django_assert_num_queries(1):
        guess(api, user.email)


def test_known_and_unknown_accounts_are_stopped_alike(api, user):
    known = [guess(api, user.email, ip="203.0.113.1").status_code for _ in range(7)]
    unknown = [guess(api, "nobody@example.org", ip="203.0.113.2").status_code for _ in range(7)]
    assert known == unknown


def test_a_made_up_forwarded_header_changes_nothing(api, user):
    answers = [guess(api, user.email, HTTP_X_FORWARDED_FOR=f"198.51.100.{n}").status_code for n in range(7)]
    assert answers[-1] == 429


def test_behind_a_trusted_proxy_the_client_is_what_the_proxy_says(api, user, settings):
    settings.TRUSTED_PROXIES = 1
    for n in range(7):
        chain = f"198.51.100.{n}, {GUESSER}"  # the client wrote the first part, the proxy the last
        last = guess(api, user.email, ip="10.0.0.1", HTTP_X_FORWARDED_FOR=chain)
    assert last.status_code == 429
    other = guess(api, user.email, ip="10.0.0.1", password=PASSWORD, HTTP_X_FORWARDED_FOR="192.0.2.7")
    assert other.status_code == 200


def test_one_household_of_ipv6_is_one_client(api, user):
    answers = [guess(api, user.email, ip=f"2001:db8:0:1::{n:x}").status_code for n in range(7)]
    assert answers == [401] * 5 + [429] * 2


@pytest.mark.django_db(transaction=True)
def test_guesses_all_at_once_are_all_counted(api):
    user = UserFactory()
    found = []
    start = threading.Barrier(12)

    def run():
        start.wait()
        found.append(guess(type(api)(), user.email).status_code)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [401] * 5 + [429] * 7


def test_the_page_counts_with_the_api(api, client, user):
    for _ in range(3):
        guess(api, user.email)
    pages = [client.post("/login/", {"login": user.email, "password": "wrong"}, REMOTE_ADDR=GUESSER) for _ in range(3)]
    assert [page.status_code for page in pages] == [400, 400, 429]
    assert int(pages[-1]["Retry-After"]) > 0


@pytest.mark.parametrize(
    "scope, path, body",
    [
        ("REGISTER", "register/", {"email": "a@example.org", "username": "x", "password": "x"}),
        ("MAIL", "resend-verification/", {"email": "a@example.org"}),
        ("MAIL", "reset-password/", {"email": "a@example.org"}),
    ],
)
def test_what_sends_mail_is_slowed_for_client_and_account(api, settings, scope, path, body):
    setattr(settings, f"THROTTLE_{scope}", "3/hour")
    one_client = [api.post(f"{AUTH}{path}", body, REMOTE_ADDR=GUESSER).status_code for _ in range(5)]
    assert 429 not in one_client[:3]
    assert one_client[3:] == [429, 429]
    many = [api.post(f"{AUTH}{path}", body, REMOTE_ADDR=f"198.51.100.{n}").status_code for n in range(5)]
    assert 429 not in many[:3]
    assert many[3:] == [429, 429]


def test_the_password_is_not_guessed_with_a_stolen_token(api, user):
    api.credentials(**bearer(log_in(api, user)["access"]))
    bodies = {"current_password": "wrong", "new_password": "another horse battery staple"}
    answers = [api.post(f"{AUTH}change-password/", bodies, REMOTE_ADDR=f"198.51.100.{n}") for n in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert api.delete(f"{AUTH}account/", {"password": "wrong"}).status_code == 429


def test_without_redis_log_ins_go_on(api, user, settings, monkeypatch):
    from config import caching

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(caching, "_client", None)
    assert guess(api, user.email, password=PASSWORD).status_code == 200
    monkeypatch.setattr(caching, "_client", None)


def test_moving_to_another_address_sends_no_more_mail_by_the_page_than_by_the_api(client, user, settings):
    settings.THROTTLE_MAIL = "2/hour"
    client.force_login(user, backend=BACKEND)
    form = {"email": "somebody@example.org", "password": PASSWORD}
    assert [client.post("/account/email/", form).status_code for _ in range(3)] == [302, 302, 429]
