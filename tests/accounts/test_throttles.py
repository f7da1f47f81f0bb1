"""Password guesses are limited without locking out the owner of the account."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client as DjangoClient

from accounts.models import User

from ..conftest import Client
from ..factories import PASSWORD, UserFactory
from .helpers import AUTH, bearer, cookie_client_for, log_in

pytestmark = pytest.mark.thorough  # a hash for each of many guesses

ATTACKER = "203.0.113.9"


def guess(client: Client, email: str, ip: str = ATTACKER, password: str = "wrong", **headers: str) -> Any:
    return client.post(f"{AUTH}login/", {"email": email, "password": password}, REMOTE_ADDR=ip, **headers)


@pytest.fixture(autouse=True)
def rates(settings: Any) -> None:
    settings.THROTTLE_LOGIN = "5/min"


def test_too_many_guesses_are_429_with_retry_after(api: Client, user: User) -> None:
    responses = [guess(api, user.email) for _ in range(7)]
    assert [response.status_code for response in responses] == [401] * 5 + [429] * 2
    assert 0 < int(responses[-1]["Retry-After"]) <= 60
    assert responses[-1].json()["errors"][0]["code"] == "throttled"


def test_guesses_of_one_client_do_not_lock_out_the_owner(api: Client, user: User) -> None:
    for _ in range(50):
        guess(api, user.email)
    assert guess(api, user.email, ip="192.0.2.7", password=PASSWORD).status_code == 200


def test_guesses_of_many_clients_are_limited_per_account(api: Client, user: User) -> None:
    responses = [guess(api, user.email, ip=f"203.0.113.{n}").status_code for n in range(20)]
    assert responses == [401] * 10 + [429] * 10
    assert guess(api, "other@example.org", ip="203.0.113.100").status_code == 401, "only this account is limited"


def test_all_spellings_of_an_address_are_one_account(api: Client) -> None:
    # A domain in full-width letters is the same domain.
    person = UserFactory(email="ada@example.org")
    wide = [f"ada@{'example'[:n]}{chr(ord('example'[n]) + 0xFEE0)}{'example'[n + 1 :]}.org" for n in range(7)]
    spelled = ["ada@example.org", "ADA@example.org", " ada@example.org", "ada@EXAMPLE.org", *wide]
    assert all(User.objects.by_email(each).get() == person for each in spelled)
    responses = [guess(api, each, ip=f"203.0.113.{n}").status_code for n, each in enumerate([*spelled, *spelled])]
    assert responses == [401] * 10 + [429] * (2 * len(spelled) - 10)


def test_a_name_of_megabytes_is_400(api: Client) -> None:
    assert guess(api, "x" * 4_000_000 + "@example.org").status_code == 400


def test_known_devices_are_exempt_from_the_limit_of_the_account(api: Client, user: User) -> None:
    log_in(api, user, REMOTE_ADDR="192.0.2.7")
    for n in range(20):
        guess(api, user.email, ip=f"203.0.113.{n}")
    assert guess(api, user.email, ip="192.0.2.8", password=PASSWORD).status_code == 429, "an unknown device"
    assert guess(api, user.email, ip="192.0.2.7", password=PASSWORD).status_code == 200


def test_axes_does_not_count_api_logins(api: Client, user: User, settings: Any, django_assert_num_queries: Any) -> None:
    """It protects only the login page of the admin."""
    settings.THROTTLE_LOGIN = ""
    for _ in range(30):
        assert guess(api, user.email).status_code == 401
    with django_assert_num_queries(4):  # the account and the pending registrations; the account and the audit record
        guess(api, user.email)


def test_known_and_unknown_accounts_have_the_same_limit(api: Client, user: User) -> None:
    known = [guess(api, user.email, ip="203.0.113.1").status_code for _ in range(7)]
    unknown = [guess(api, "nobody@example.org", ip="203.0.113.2").status_code for _ in range(7)]
    assert known == unknown


def test_a_forged_forwarded_header_does_not_bypass_the_limit(api: Client, user: User) -> None:
    responses = [guess(api, user.email, HTTP_X_FORWARDED_FOR=f"198.51.100.{n}").status_code for n in range(7)]
    assert responses[-1] == 429


def test_the_limit_distinguishes_clients_behind_a_trusted_proxy(api: Client, user: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    for n in range(7):
        chain = f"198.51.100.{n}, {ATTACKER}"  # the client sent the first part, the proxy added the last
        last = guess(api, user.email, ip="10.0.0.1", HTTP_X_FORWARDED_FOR=chain)
    assert last.status_code == 429
    other = guess(api, user.email, ip="10.0.0.1", password=PASSWORD, HTTP_X_FORWARDED_FOR="192.0.2.7")
    assert other.status_code == 200


def test_an_ipv6_network_is_one_client(api: Client, user: User) -> None:
    responses = [guess(api, user.email, ip=f"2001:db8:0:1::{n:x}").status_code for n in range(7)]
    assert responses == [401] * 5 + [429] * 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_guesses_are_all_counted(api: Client) -> None:
    user = UserFactory()
    found = []
    start = threading.Barrier(12)

    def run() -> None:
        start.wait()
        found.append(guess(type(api)(), user.email).status_code)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [401] * 5 + [429] * 7


def test_page_and_api_share_one_limit(api: Client, client: DjangoClient, user: User) -> None:
    for _ in range(3):
        guess(api, user.email)
    pages = [client.post("/login/", {"login": user.email, "password": "wrong"}, REMOTE_ADDR=ATTACKER) for _ in range(3)]
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
def test_requests_that_send_mail_are_limited_per_client_and_per_account(
    api: Client, settings: Any, scope: str, path: str, body: Any
) -> None:
    setattr(settings, f"THROTTLE_{scope}", "3/hour")
    one_client = [api.post(f"{AUTH}{path}", body, REMOTE_ADDR=ATTACKER).status_code for _ in range(5)]
    assert 429 not in one_client[:3]
    assert one_client[3:] == [429, 429]
    many = [api.post(f"{AUTH}{path}", body, REMOTE_ADDR=f"198.51.100.{n}").status_code for n in range(5)]
    assert 429 not in many[:3]
    assert many[3:] == [429, 429]


def test_password_guesses_with_a_token_are_limited(api: Client, user: User) -> None:
    api.credentials(**bearer(log_in(api, user)["access"]))
    bodies = {"current_password": "wrong", "new_password": "another horse battery staple"}
    responses = [api.post(f"{AUTH}change-password/", bodies, REMOTE_ADDR=f"198.51.100.{n}") for n in range(6)]
    assert [response.status_code for response in responses] == [400] * 5 + [429]
    assert api.delete(f"{AUTH}account/", {"password": "wrong"}).status_code == 429


def test_login_works_without_redis(api: Client, user: User, redis_away: None) -> None:
    assert guess(api, user.email, password=PASSWORD).status_code == 200


def test_the_page_has_the_mail_limit_of_the_api(user: User, settings: Any) -> None:
    settings.THROTTLE_MAIL = "2/hour"
    client = cookie_client_for(user)
    form = {"email": "somebody@example.org", "password": PASSWORD}
    assert [client.post("/account/email/", form).status_code for _ in range(3)] == [302, 302, 429]


def test_username_and_address_of_an_account_share_one_count(api: Client, user: User) -> None:
    for n in range(10):
        named = {"username": user.username.upper()} if n % 2 else {"email": user.email}
        response = api.post(f"{AUTH}login/", {**named, "password": "wrong"}, REMOTE_ADDR=f"203.0.113.{n}")
        assert response.status_code == 401
    for name in (user.email, user.username):
        assert guess(api, name, ip="203.0.113.100").status_code == 429


def test_a_decoy_name_does_not_hide_which_account_is_guessed(api: Client, user: User) -> None:
    for n in range(12):
        body: dict[str, Any] = {"email": user.email, "username": f"decoy{n}", "password": "wrong"}
        last = api.post(f"{AUTH}login/", body, REMOTE_ADDR=f"203.0.113.{n}").status_code
    assert last == 429
    body = {"email": 648067170, "username": "decoy", "password": "wrong"}
    assert api.post(f"{AUTH}login/", body, REMOTE_ADDR="198.51.100.1").status_code == 400


def test_known_devices_have_their_own_limit_of_guesses(api: Client, user: User, settings: Any) -> None:
    log_in(api, user, REMOTE_ADDR="192.0.2.7")
    for n in range(20):
        guess(api, user.email, ip=f"203.0.113.{n}")
    statuses = [guess(api, user.email, ip="192.0.2.7").status_code for _ in range(6)]
    assert statuses == [401] * 4 + [429] * 2, "one of the five was the login"


def test_resets_requested_by_strangers_do_not_lock_out_known_devices(api: Client, user: User, settings: Any) -> None:
    log_in(api, user, REMOTE_ADDR="192.0.2.7")
    settings.THROTTLE_MAIL = "3/hour"

    def reset(ip: str) -> int:
        return api.post(f"{AUTH}reset-password/", {"email": user.email}, REMOTE_ADDR=ip).status_code

    assert [reset(f"203.0.113.{n}") for n in range(8)] == [202] * 6 + [429] * 2
    assert [reset("192.0.2.7") for _ in range(4)] == [202] * 3 + [429]


def test_all_login_forms_share_one_limit(api: Client, client: DjangoClient, staff: User) -> None:
    """The API, the login page and the login page of the admin."""
    admin = {"username": staff.username, "password": "wrong"}
    for _ in range(2):
        assert guess(api, staff.email).status_code == 401
        assert client.post("/admin/login/", admin, REMOTE_ADDR=ATTACKER).status_code == 200
    page = {"login": staff.username, "password": "wrong"}
    assert client.post("/login/", page, REMOTE_ADDR=ATTACKER).status_code == 400
    assert guess(api, staff.email).status_code == 429
    response = client.post("/admin/login/", {**admin, "password": PASSWORD}, REMOTE_ADDR=ATTACKER)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert b"Too many attempts" in response.content
    assert client.post("/login/", page, REMOTE_ADDR=ATTACKER).status_code == 429


def test_the_admin_login_page_limits_clients_and_accounts(client: DjangoClient, user: User) -> None:
    def status(username: str, ip: str, password: str = "wrong") -> int:
        return client.post("/admin/login/", {"username": username, "password": password}, REMOTE_ADDR=ip).status_code

    assert [status(f"name{n}", ATTACKER) for n in range(7)] == [200] * 5 + [429] * 2
    guesses = [status(user.username, f"198.51.100.{n % 8}", PASSWORD) for n in range(14)]
    assert guesses == [200] * 10 + [429] * 4, "the right password of a user who is not staff counts too"
