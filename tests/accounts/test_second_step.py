"""The second step of the API's sign-in: codes, recovery codes, passkeys, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import MfaTicket, Passkey, RecoveryCode, User, UserSession, WrongCode
from accounts.services import deletion, passwords

from ..conftest import Client
from ..factories import PASSWORD, UserFactory
from .authenticator import Authenticator
from .factors import DEVICE, add_passkey, first_step, second_step, set_up_app
from .helpers import AUTH, NEW_PASSWORD, error_codes, link_for, log_in, token_works

EXPIRED = [("expired_token", "ticket")]
WRONG = [("invalid_code", "code")]
WRONG_PASSKEY = [("invalid_code", "credential")]


def passkey_sign_in(api: Client, authenticator: Authenticator, **changes: Any) -> Any:
    start = api.post(f"{AUTH}login/passkey/options/").json()
    answer = {"ticket": start["ticket"], "credential": authenticator.get(start["options"])}
    return api.post(f"{AUTH}login/passkey/", {**answer, **changes})


def test_without_a_factor_the_password_is_enough(api: Client, user: User) -> None:
    assert token_works(api, log_in(api, user))
    assert UserSession.objects.get(user=user).signed_in_with == "password"


def test_with_an_app_the_password_gives_a_ticket_and_the_code_the_tokens(api: Client, user: User) -> None:
    app, _ = set_up_app(user)
    step = first_step(api, user)
    assert step.pop("ticket")
    assert step == {
        "mfa_required": True, "methods": ["totp", "recovery_code"], "passkey_options": None, "expires_in": 300,
    }  # fmt: skip
    assert not UserSession.objects.exists()
    response = second_step(api, user, code=app.code(1))
    assert response.status_code == 200
    assert response.json()["user"]["username"] == user.username
    assert token_works(api, response.json())
    assert UserSession.objects.get(user=user).signed_in_with == "password+totp"


def test_a_code_works_once(api: Client, user: User) -> None:
    app, _ = set_up_app(user)
    assert error_codes(second_step(api, user, code=app.code())) == WRONG  # it confirmed the app
    assert second_step(api, user, code=app.code(1)).status_code == 200
    assert error_codes(second_step(api, user, code=app.code(1))) == WRONG
    assert error_codes(second_step(api, user, code=app.code(0))) == WRONG  # older than the latest used code
    assert second_step(api, user, code=f" {app.code(2)[:3]} {app.code(2)[3:]}").status_code == 200


@pytest.mark.parametrize("seconds, works", [(-60, True), (60, True), (-120, False), (120, False)])
def test_the_clock_of_a_phone_may_be_off_by_a_minute(api: Client, user: User, seconds: int, works: bool) -> None:
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        app, _ = set_up_app(user)
    with time_machine.travel(start + timedelta(minutes=10, seconds=seconds), tick=False):
        code = app.code()
    with time_machine.travel(start + timedelta(minutes=10), tick=False):
        assert (second_step(api, user, code=code).status_code == 200) is works


def test_a_ticket_works_once(api: Client, user: User) -> None:
    app, codes = set_up_app(user)
    ticket = first_step(api, user)["ticket"]
    assert api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": app.code(1)}).status_code == 200
    assert error_codes(api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": codes[0]})) == EXPIRED


def test_five_wrong_answers_end_a_ticket(api: Client, user: User) -> None:
    _, codes = set_up_app(user)
    ticket = first_step(api, user)["ticket"]
    for wrong in ("000000", "not-a-code", "111111", "x", "222222"):
        assert error_codes(api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": wrong})) == WRONG
    assert error_codes(api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": codes[0]})) == EXPIRED
    assert second_step(api, user, code=codes[0]).status_code == 200


def test_an_unknown_and_an_old_ticket_are_refused(api: Client, user: User) -> None:
    _, codes = set_up_app(user)
    unknown = api.post(f"{AUTH}login/mfa/", {"ticket": "x" * 32, "code": codes[0]})
    assert error_codes(unknown) == [("invalid_token", "ticket")]
    ticket = first_step(api, user)["ticket"]
    MfaTicket.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert error_codes(api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": codes[0]})) == EXPIRED


@pytest.mark.thorough
def test_ten_wrong_codes_of_an_account_end_its_attempts_for_an_hour(api: Client, user: User) -> None:
    app, codes = set_up_app(user)
    authenticator = add_passkey(user)
    for n in range(10):
        assert error_codes(second_step(api, user, code=f"{n:06}")) == WRONG
    refused = second_step(api, user, code=app.code(1))
    assert refused.status_code == 429
    assert 3500 < int(refused["Retry-After"]) <= 3600
    step = first_step(api, user)
    options = {"ticket": step["ticket"], "credential": authenticator.get(step["passkey_options"])}
    assert api.post(f"{AUTH}login/mfa/", options).status_code == 200
    assert second_step(api, user, code=codes[0]).status_code == 200
    assert passkey_sign_in(api, authenticator).status_code == 200
    WrongCode.objects.update(at=F("at") - timedelta(hours=1))
    assert second_step(api, user, code=app.code(1)).status_code == 200


@pytest.mark.thorough
def test_wrong_codes_of_one_account_do_not_count_for_another(api: Client, user: User) -> None:
    set_up_app(user)
    for n in range(11):
        second_step(api, user, code=f"{n:06}")
    other = UserFactory()
    app, _ = set_up_app(other)
    assert second_step(api, other, code=app.code(1)).status_code == 200


def test_a_recovery_code_works_once_in_any_spelling(api: Client, user: User) -> None:
    _, codes = set_up_app(user)
    assert len(codes) == 10
    assert second_step(api, user, code=codes[3].upper().replace("-", " ")).status_code == 200
    assert UserSession.objects.get(user=user).signed_in_with == "password+recovery_code"
    assert error_codes(second_step(api, user, code=codes[3])) == WRONG
    assert RecoveryCode.objects.filter(user=user, used_at=None).count() == 9


def test_a_passkey_is_a_second_step(api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    step = first_step(api, user)
    assert step["methods"] == ["passkey", "recovery_code"]
    assert step["passkey_options"]["rpId"] == "testserver"
    answer = {"ticket": step["ticket"], "credential": authenticator.get(step["passkey_options"])}
    response = api.post(f"{AUTH}login/mfa/", answer)
    assert response.status_code == 200
    assert UserSession.objects.get(user=user).signed_in_with == "password+passkey"
    assert Passkey.objects.get(user=user).last_used_at is not None
    assert error_codes(api.post(f"{AUTH}login/mfa/", answer)) == EXPIRED


def test_a_passkey_signs_in_without_a_password(api: Client, user: User) -> None:
    response = passkey_sign_in(api, add_passkey(user))
    assert response.status_code == 200
    assert response.json()["user"]["username"] == user.username
    assert token_works(api, response.json())
    assert UserSession.objects.get(user=user).signed_in_with == "passkey"


def test_a_passkey_that_did_not_verify_its_user_is_only_a_second_step(api: Client, user: User) -> None:
    key = add_passkey(user, verifies_user=False)
    assert error_codes(passkey_sign_in(api, key)) == WRONG_PASSKEY
    step = first_step(api, user)
    answer = {"ticket": step["ticket"], "credential": key.get(step["passkey_options"])}
    assert api.post(f"{AUTH}login/mfa/", answer).status_code == 200


def test_an_assertion_is_bound_to_its_challenge(api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    first = api.post(f"{AUTH}login/passkey/options/").json()
    assertion = authenticator.get(first["options"])
    second = api.post(f"{AUTH}login/passkey/options/").json()
    replayed = api.post(f"{AUTH}login/passkey/", {"ticket": second["ticket"], "credential": assertion})
    assert error_codes(replayed) == WRONG_PASSKEY
    assert api.post(f"{AUTH}login/passkey/", {"ticket": first["ticket"], "credential": assertion}).status_code == 200
    again = api.post(f"{AUTH}login/passkey/", {"ticket": first["ticket"], "credential": assertion})
    assert error_codes(again) == EXPIRED


def test_an_assertion_for_another_origin_is_refused(api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    for origin in ("https://testserver", "http://testserver:8000", "http://evil.example", "http://sub.testserver"):
        authenticator.origin = origin
        assert error_codes(passkey_sign_in(api, authenticator)) == WRONG_PASSKEY
    authenticator.origin = "http://testserver"
    assert passkey_sign_in(api, authenticator).status_code == 200


def test_a_cloned_passkey_is_refused_and_its_owner_is_notified(api: Client, user: User, factor_mails: Any) -> None:
    authenticator = add_passkey(user)
    assert passkey_sign_in(api, authenticator).status_code == 200
    assert passkey_sign_in(api, authenticator).status_code == 200
    authenticator.count = 0  # the copy was made before these sign-ins
    assert error_codes(passkey_sign_in(api, authenticator)) == WRONG_PASSKEY
    assert "A copy of the passkey “Phone” was refused" in factor_mails()[-1]
    authenticator.count = 5
    assert passkey_sign_in(api, authenticator).status_code == 200


def test_a_synchronized_passkey_never_counts(api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    for _ in range(2):
        authenticator.count = -1
        assert passkey_sign_in(api, authenticator).status_code == 200


def test_a_passkey_with_the_handle_of_another_user_is_refused(api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    authenticator.user_handle = add_passkey(UserFactory()).user_handle
    assert error_codes(passkey_sign_in(api, authenticator)) == WRONG_PASSKEY


def test_a_passkey_of_another_account_is_no_second_step(api: Client, user: User) -> None:
    add_passkey(user)
    stranger = add_passkey(UserFactory())
    step = first_step(api, user)
    answer = {"ticket": step["ticket"], "credential": stranger.get(step["passkey_options"])}
    assert error_codes(api.post(f"{AUTH}login/mfa/", answer)) == WRONG_PASSKEY


def test_a_deactivated_user_cannot_sign_in(api: Client, user: User) -> None:
    _, codes = set_up_app(user)
    authenticator = add_passkey(user)
    ticket = first_step(api, user)["ticket"]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert error_codes(api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": codes[0]})) == EXPIRED
    assert error_codes(passkey_sign_in(api, authenticator)) == WRONG_PASSKEY
    assert not UserSession.objects.exists()


def test_a_new_password_voids_tickets_and_removes_no_factor(api: Client, user: User) -> None:
    _, codes = set_up_app(user)
    ticket = first_step(api, user)["ticket"]
    passwords.reset_password(code=link_for(user, "reset_password"), password=NEW_PASSWORD, device=DEVICE)
    assert error_codes(api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": codes[0]})) == EXPIRED
    response = api.post(f"{AUTH}login/", {"username": user.username, "password": NEW_PASSWORD})
    assert response.json()["mfa_required"] is True


@pytest.mark.parametrize(
    "answer",
    [{}, {"code": "1", "credential": {}}, {"credential": {}}, {"credential": []}, {"code": 123456}, {"code": ""},
     {"credential": {"id": "a", "rawId": "a", "type": "public-key", "response": {"clientDataJSON": "e30"}}},
     {"credential": {"id": "é" * 5000}}, {"credential": {"id": {"a": 1}, "response": None}}, {"code": "٠١٢٣٤٥"}],
)  # fmt: skip
def test_malformed_answers_are_400(api: Client, user: User, answer: dict[str, Any]) -> None:
    set_up_app(user)
    add_passkey(user)
    assert second_step(api, user, **answer).status_code == 400


def test_damaged_assertions_are_400(api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    for name in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        for damage in ("", "AAAA", "e30", "%%%", "A" * 400, None, 7, ["a"]):
            start = api.post(f"{AUTH}login/passkey/options/").json()
            credential = authenticator.get(start["options"])
            credential["response"][name] = damage
            response = api.post(f"{AUTH}login/passkey/", {"ticket": start["ticket"], "credential": credential})
            optional = name == "userHandle" and damage in ("", None)
            assert response.status_code == (200 if optional else 400), (name, damage, response.content)


def test_passkeys_need_a_host_name(api: Client, user: User, settings: Any) -> None:
    add_passkey(user)
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    response = api.post(f"{AUTH}login/passkey/options/")
    assert error_codes(response) == [("passkeys_unavailable", None)]
    assert "localhost" in response.json()["errors"][0]["detail"]
    step = first_step(api, user)
    assert (step["methods"], step["passkey_options"]) == (["recovery_code"], None)


def test_the_second_step_is_limited_per_client(api: Client, user: User, settings: Any) -> None:
    set_up_app(user)
    ticket = first_step(api, user)["ticket"]
    settings.THROTTLE_LOGIN = "3/min"
    statuses = [api.post(f"{AUTH}login/mfa/", {"ticket": ticket, "code": "x"}).status_code for _ in range(4)]
    assert statuses == [400, 400, 400, 429]
    assert api.post(f"{AUTH}login/passkey/options/").status_code == 429


def test_old_tickets_and_wrong_codes_are_deleted(api: Client, user: User) -> None:
    set_up_app(user)
    second_step(api, user, code="000000")
    MfaTicket.objects.update(expires_at=Now() - timedelta(days=2))
    WrongCode.objects.update(at=Now() - timedelta(hours=2))
    first_step(api, user)
    deletion.delete_expired()
    assert MfaTicket.objects.count() == 1
    assert not WrongCode.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_code", "passkey"])
def test_of_simultaneous_answers_one_signs_in(user: User, kind: str) -> None:
    app, codes = set_up_app(user)
    authenticator = add_passkey(user)
    answers: list[dict[str, Any]] = []
    for _ in range(4):
        step = first_step(Client(), user)
        answer: dict[str, Any] = {"ticket": step["ticket"]}
        if kind == "passkey":  # one ticket
            answer = answers[0] if answers else {**answer, "credential": authenticator.get(step["passkey_options"])}
        else:  # one code with several tickets
            answer["code"] = app.code(1) if kind == "totp" else codes[0]
        answers.append(answer)

    def send(answer: dict[str, Any]) -> int:
        try:
            return Client().post(f"{AUTH}login/mfa/", answer).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, answers)) == [200, 400, 400, 400]
    assert UserSession.objects.filter(user=user).count() == 1


def test_a_signed_in_read_still_takes_one_query(
    api: Client, user: User, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.MFA_REQUIRED = "all"
    app, _ = set_up_app(user)
    access = second_step(api, user, code=app.code(1)).json()["access"]
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    client.get("/api/v1/labels/")
    with django_assert_num_queries(1):
        assert client.get("/api/v1/labels/").status_code == 200


def test_the_password_alone_is_wrong_as_before(api: Client, user: User) -> None:
    set_up_app(user)
    response = api.post(f"{AUTH}login/", {"username": user.username, "password": PASSWORD + "x"})
    assert error_codes(response) == [("invalid_credentials", None)]
