"""Setting up, changing and removing second factors through the API."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from accounts.factors import policy
from accounts.models import MfaTicket, Passkey, RecoveryCode, Totp, User, UserSession
from accounts.services.factors import setup
from config import encryption

from ..api.routes import operations
from ..conftest import Client
from ..factories import PASSWORD, UserFactory
from .authenticator import Authenticator
from .factors import App, add_passkey, first_step, second_step, set_up_app
from .helpers import AUTH, bearer, error_codes, log_in

MFA = f"{AUTH}mfa/"
Mails = Callable[[], list[str]]


def register_passkey(client: Client, authenticator: Authenticator, name: str = "Phone", **changes: Any) -> Any:
    start = client.post(f"{MFA}passkeys/options/").json()
    answer = {"ticket": start["ticket"], "name": name, "credential": authenticator.create(start["options"])}
    return client.post(f"{MFA}passkeys/", {**answer, **changes})


def make_old(user: User) -> None:
    """Let the sign-ins of ``user`` be half an hour ago."""
    UserSession.objects.filter(user=user).update(authenticated_at=Now() - timedelta(minutes=30))


def test_without_a_factor_everything_is_off(signed_in: Client) -> None:
    assert signed_in.get(MFA).json() == {
        "required": False, "totp": {"enabled": False, "created_at": None}, "passkeys": [], "recovery_codes_left": 0,
    }  # fmt: skip


def test_an_app_is_set_up_with_its_first_code(signed_in: Client, api: Client, user: User, factor_mails: Mails) -> None:
    enrolment = signed_in.post(f"{MFA}totp/").json()
    assert enrolment["uri"].startswith(f"otpauth://totp/Atrium:{user.username}?secret={enrolment['secret']}")
    assert enrolment["qr"].startswith("<svg") and "style" not in enrolment["qr"]
    assert signed_in.get(MFA).json()["totp"]["enabled"] is False
    log_in(api, user)  # an app that is not confirmed is no factor
    app = App(enrolment["secret"])
    response = signed_in.post(f"{MFA}totp/confirm/", {"code": app.code()})
    assert response.status_code == 200
    assert len(set(response.json()["recovery_codes"])) == 10
    factors = signed_in.get(MFA).json()
    assert factors["totp"]["enabled"] is True and factors["totp"]["created_at"]
    assert factors["recovery_codes_left"] == 10
    assert factor_mails() == ["An authenticator app was set up."]
    assert second_step(api, user, code=app.code(1)).status_code == 200


def test_the_secret_and_the_codes_are_not_stored_as_they_are(user: User) -> None:
    app, codes = set_up_app(user)
    row = Totp.objects.get(user=user)
    assert app.secret not in row.secret
    assert encryption.decrypt(row.secret) == app.secret
    stored = list(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert not [code for code in codes if any(code in text or code.replace("-", "") in text for text in stored)]


def test_a_wrong_first_code_changes_nothing(signed_in: Client, user: User) -> None:
    app = App(signed_in.post(f"{MFA}totp/").json()["secret"])
    for wrong in ("000000", app.code(9), "k3fq-7m2p-xw5a-bn6d"):
        assert error_codes(signed_in.post(f"{MFA}totp/confirm/", {"code": wrong})) == [("invalid_code", "code")]
    assert not policy.has_factor(user)
    assert signed_in.post(f"{MFA}totp/confirm/", {"code": app.code()}).status_code == 200


def test_a_setup_expires_and_ends_with_a_new_password(signed_in: Client, user: User) -> None:
    app = App(signed_in.post(f"{MFA}totp/").json()["secret"])
    expired = [("expired_token", "code")]
    Totp.objects.update(pending_until=Now())
    assert error_codes(signed_in.post(f"{MFA}totp/confirm/", {"code": app.code()})) == expired
    app = App(signed_in.post(f"{MFA}totp/").json()["secret"])
    body = {"current_password": PASSWORD, "new_password": "another horse battery staple"}
    assert signed_in.post(f"{AUTH}change-password/", body).status_code == 204
    assert error_codes(signed_in.post(f"{MFA}totp/confirm/", {"code": app.code()})) == expired


def test_of_two_setups_at_once_the_later_one_counts(signed_in: Client, api: Client, user: User) -> None:
    first, second = (App(signed_in.post(f"{MFA}totp/").json()["secret"]) for _ in range(2))
    assert error_codes(signed_in.post(f"{MFA}totp/confirm/", {"code": first.code()})) == [("invalid_code", "code")]
    assert len(signed_in.post(f"{MFA}totp/confirm/", {"code": second.code()}).json()["recovery_codes"]) == 10
    assert error_codes(signed_in.post(f"{MFA}totp/confirm/", {"code": second.code(1)})) == [("expired_token", "code")]


def test_a_new_app_replaces_the_old_one_once_it_is_confirmed(signed_in: Client, api: Client, user: User) -> None:
    old, _ = set_up_app(user)
    new = App(signed_in.post(f"{MFA}totp/").json()["secret"])
    assert second_step(api, user, code=old.code(1)).status_code == 200
    assert signed_in.post(f"{MFA}totp/confirm/", {"code": new.code()}).json() == {"recovery_codes": []}
    assert second_step(api, user, code=old.code(2)).status_code == 400
    assert second_step(api, user, code=new.code(1)).status_code == 200


def test_a_passkey_is_registered_renamed_and_deleted(signed_in: Client, user: User, factor_mails: Mails) -> None:
    authenticator = Authenticator()
    response = register_passkey(signed_in, authenticator)
    assert response.status_code == 201
    passkey = response.json()
    assert len(passkey.pop("recovery_codes")) == 10
    assert signed_in.get(MFA).json()["passkeys"] == [passkey]
    url = f"{MFA}passkeys/{passkey['id']}/"
    for _ in range(2):
        assert signed_in.patch(url, {"name": " Blue key "}).json() == {**passkey, "name": "Blue key"}
    assert "recovery_codes" not in register_passkey(signed_in, Authenticator(), "Laptop").json()
    assert signed_in.delete(url).status_code == 204
    assert [each["name"] for each in signed_in.get(MFA).json()["passkeys"]] == ["Laptop"]
    assert factor_mails() == [
        "The passkey “Phone” was added.", "The passkey “Phone” was renamed to “Blue key”.",
        "The passkey “Laptop” was added.", "The passkey “Blue key” was removed.",
    ]  # fmt: skip


def test_a_registration_is_refused_for_another_origin_challenge_or_user(
    signed_in: Client, api: Client, user: User
) -> None:
    wrong = [("invalid_code", "credential")]
    assert error_codes(register_passkey(signed_in, Authenticator("http://evil.example"))) == wrong
    options = signed_in.post(f"{MFA}passkeys/options/").json()["options"]
    assert (
        error_codes(register_passkey(signed_in, Authenticator(), credential=Authenticator().create(options))) == wrong
    )
    ticket = api.as_user(UserFactory()).post(f"{MFA}passkeys/options/").json()["ticket"]
    response = register_passkey(signed_in, Authenticator(), ticket=ticket)
    assert error_codes(response) == [("invalid_token", "ticket")]
    assert not Passkey.objects.exists()


def test_a_registration_works_once(signed_in: Client, api: Client, user: User) -> None:
    authenticator = Authenticator()
    start = signed_in.post(f"{MFA}passkeys/options/").json()
    body = {"ticket": start["ticket"], "name": "a", "credential": authenticator.create(start["options"])}
    assert signed_in.post(f"{MFA}passkeys/", body).status_code == 201
    assert error_codes(signed_in.post(f"{MFA}passkeys/", body)) == [("expired_token", "ticket")]
    response = register_passkey(api.as_user(UserFactory()), authenticator)
    assert (response.status_code, error_codes(response)) == (409, [("passkey_exists", None)])


def test_known_passkeys_are_excluded_and_share_the_users_handle(signed_in: Client, user: User) -> None:
    known = add_passkey(user)
    options = signed_in.post(f"{MFA}passkeys/options/").json()["options"]
    assert [each["id"] for each in options["excludeCredentials"]] == [known.get({"rpId": "x", "challenge": "x"})["id"]]
    authenticator = Authenticator()
    authenticator.create(options)
    assert authenticator.user_handle == known.user_handle


@pytest.mark.parametrize("name", ["", " ", "\u200b", "x" * 101, None, 5])
def test_a_passkey_needs_a_visible_name(signed_in: Client, name: Any) -> None:
    response = register_passkey(signed_in, Authenticator(), name)
    assert response.status_code == 400
    assert error_codes(response)[0][1] == "name"


def test_a_user_has_a_limited_number_of_passkeys(signed_in: Client, user: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(setup, "MAX_PASSKEYS", 1)
    add_passkey(user)
    response = signed_in.post(f"{MFA}passkeys/options/")
    assert (response.status_code, error_codes(response)) == (409, [("too_many_passkeys", None)])


def test_recovery_codes_are_replaced(signed_in: Client, api: Client, user: User, factor_mails: Mails) -> None:
    response = signed_in.post(f"{MFA}recovery-codes/")
    assert (response.status_code, error_codes(response)) == (409, [("no_factor", None)])
    _, old = set_up_app(user)
    new = signed_in.post(f"{MFA}recovery-codes/").json()["recovery_codes"]
    assert len(new) == 10 and not set(new) & set(old)
    assert second_step(api, user, code=old[0]).status_code == 400
    assert second_step(api, user, code=new[0]).status_code == 200
    assert signed_in.get(MFA).json()["recovery_codes_left"] == 9
    assert factor_mails()[-1] == "A recovery code was used. 9 are left."


def test_without_its_last_factor_an_account_has_no_recovery_codes(signed_in: Client, api: Client, user: User) -> None:
    set_up_app(user)
    assert signed_in.delete(f"{MFA}totp/").status_code == 204
    assert signed_in.delete(f"{MFA}totp/").status_code == 204
    assert not RecoveryCode.objects.exists()
    assert not User.objects.get(pk=user.pk).mfa_enabled
    log_in(api, user)


CHANGES = [
    ("post", "totp/", None), ("post", "totp/confirm/", {"code": "123456"}), ("delete", "totp/", None),
    ("post", "passkeys/options/", None), ("post", "passkeys/", {"ticket": "a", "name": "b", "credential": {}}),
    ("patch", "passkeys/{id}/", {"name": "a"}), ("delete", "passkeys/{id}/", None), ("post", "recovery-codes/", None),
]  # fmt: skip


@pytest.mark.parametrize("method, path, body", CHANGES)
def test_a_change_needs_a_recent_sign_in(
    signed_in: Client, user: User, method: str, path: str, body: dict[str, str] | None
) -> None:
    _, codes = set_up_app(user)
    add_passkey(user)
    url = MFA + path.format(id=Passkey.objects.get().pk)
    make_old(user)
    refused = getattr(signed_in, method)(url, body)
    assert (refused.status_code, error_codes(refused)) == (403, [("reauthentication_required", None)])
    assert signed_in.post(f"{AUTH}reauthenticate/", {"code": codes[0]}).status_code == 204
    assert getattr(signed_in, method)(url, body).status_code != 403


def test_every_change_is_in_the_list_above() -> None:
    found = {(each.method, each.path.removeprefix(MFA)) for each in operations() if each.path.startswith(MFA)}
    assert found == {(method, path) for method, path, _ in CHANGES} | {("get", "")}


def test_a_refresh_is_no_sign_in(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    make_old(user)
    tokens = api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).json()
    assert api.post(f"{MFA}totp/", **bearer(tokens["access"])).status_code == 403


def test_reauthentication_with_the_password_alone_needs_an_account_without_a_factor(
    signed_in: Client, user: User
) -> None:
    url = f"{AUTH}reauthenticate/"
    assert error_codes(signed_in.post(url, {"password": "wrong"})) == [("wrong_password", "password")]
    assert error_codes(signed_in.post(url, {})) == [("required", "password")]
    make_old(user)
    assert signed_in.post(url, {"password": PASSWORD}).status_code == 204
    assert signed_in.post(f"{MFA}totp/").status_code == 200
    app, _ = set_up_app(user)
    assert error_codes(signed_in.post(url, {"password": PASSWORD})) == [("factor_needed", "code")]
    assert error_codes(signed_in.post(url, {"password": "wrong", "code": app.code(1)})) == [
        ("wrong_password", "password")
    ]
    assert signed_in.post(url, {"password": PASSWORD, "code": app.code(1)}).status_code == 204
    assert error_codes(signed_in.post(url, {"code": app.code(1)})) == [("invalid_code", "code")]


def test_reauthentication_with_a_passkey(signed_in: Client, api: Client, user: User) -> None:
    authenticator = add_passkey(user)
    make_old(user)
    url = f"{AUTH}reauthenticate/"
    start = signed_in.post(f"{url}options/").json()
    body = {"ticket": start["ticket"], "credential": authenticator.get(start["options"])}
    assert error_codes(signed_in.post(url, {"credential": body["credential"]})) == [("required", "ticket")]
    assert error_codes(api.as_user(UserFactory()).post(url, body)) == [("invalid_token", "ticket")]
    assert signed_in.post(url, body).status_code == 204
    assert error_codes(signed_in.post(url, body)) == [("expired_token", "ticket")]
    assert signed_in.post(f"{MFA}totp/").status_code == 200


def test_wrong_codes_of_a_reauthentication_count_with_those_of_sign_ins(
    signed_in: Client, api: Client, user: User
) -> None:
    app, _ = set_up_app(user)
    for n in range(10):
        assert signed_in.post(f"{AUTH}reauthenticate/", {"code": f"{n:06}"}).status_code == 400
    assert signed_in.post(f"{AUTH}reauthenticate/", {"code": app.code(1)}).status_code == 429
    assert second_step(api, user, code=app.code(1)).status_code == 429


@pytest.mark.parametrize(
    "required, is_staff, applies", [("staff", True, True), ("staff", False, False), ("all", False, True)]
)
def test_whoever_must_have_a_factor_sets_one_up_first(
    api: Client, settings: Any, required: str, is_staff: bool, applies: bool
) -> None:
    settings.MFA_REQUIRED = required
    user = UserFactory(is_staff=is_staff)
    client = api.as_user(user)
    assert client.get(MFA).json()["required"] is applies
    refused = client.get("/api/v1/notes/")
    assert refused.status_code == (403 if applies else 200)
    if applies:
        assert error_codes(refused) == [("mfa_setup_required", None)]
        app = App(client.post(f"{MFA}totp/").json()["secret"])
        assert client.post(f"{MFA}totp/confirm/", {"code": app.code()}).status_code == 200
        assert client.get("/api/v1/notes/").status_code == 200


OPEN = ("mfa/", "profile/", "reauthenticate/", "sessions/", "logout")
BY_COOKIE = AUTH + "token/from-session/"  # accepts no token at all
FOR_TOKENS = [each for each in operations() if not each.public and each.path != BY_COOKIE]


@pytest.mark.thorough
@pytest.mark.parametrize("operation", sorted(FOR_TOKENS, key=str), ids=str)
def test_only_these_calls_are_open_without_a_required_factor(operation: Any, api: Client, settings: Any) -> None:
    settings.MFA_REQUIRED = "all"
    response = getattr(api.as_user(UserFactory(is_staff=True)), operation.method)(operation.url())
    is_open = operation.path.startswith(tuple(AUTH + name for name in OPEN))
    refused = response.status_code == 403 and error_codes(response) == [("mfa_setup_required", None)]
    assert refused is not is_open, response.content


def test_a_personal_token_is_refused_too_until_its_user_has_the_required_factor(
    signed_in: Client, user: User, settings: Any
) -> None:
    body = {"name": "script", "scopes": ["notes:read", "account:read"]}
    script = Client()
    script.credentials(**bearer(signed_in.post(f"{AUTH}tokens/", body).json()["token"]))
    notes = "/api/v1/notes/"
    assert [script.get(notes).status_code for _ in range(2)] == [200, 200]  # the second one from the cache
    settings.MFA_REQUIRED = "all"
    refused = script.get(notes)
    assert (refused.status_code, error_codes(refused)) == (403, [("mfa_setup_required", None)])
    assert script.get(f"{AUTH}profile/").status_code == 200
    set_up_app(user)
    assert script.get(notes).status_code == 200


def test_public_reads_stay_open_without_a_required_factor(signed_in: Client, settings: Any) -> None:
    settings.MFA_REQUIRED = "all"
    assert signed_in.get("/api/v1/trends/").status_code == 200


def test_the_last_factor_cannot_be_deleted_where_one_is_required(signed_in: Client, user: User, settings: Any) -> None:
    settings.MFA_REQUIRED = "all"
    set_up_app(user)
    add_passkey(user)
    url = f"{MFA}passkeys/{Passkey.objects.get().pk}/"
    assert signed_in.delete(f"{MFA}totp/").status_code == 204
    refused = signed_in.delete(url)
    assert (refused.status_code, error_codes(refused)) == (409, [("factor_required", None)])
    set_up_app(user)
    assert signed_in.delete(url).status_code == 204
    assert signed_in.delete(f"{MFA}totp/").status_code == 409


def test_a_flag_that_an_old_row_has_overwritten_is_no_way_around_the_factor(
    api: Client, user: User, settings: Any
) -> None:
    set_up_app(user)
    user.save()  # loaded before the factor was set up
    assert not User.objects.get(pk=user.pk).mfa_enabled
    assert first_step(api, user)["mfa_required"] is True
    settings.MFA_REQUIRED = "all"
    assert api.as_user(user).get("/api/v1/notes/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_same_passkey_added_twice_at_once_is_stored_once(user: User) -> None:
    client, authenticator = Client().as_user(user), Authenticator()
    starts = [client.post(f"{MFA}passkeys/options/").json() for _ in range(2)]
    bodies = [
        {"ticket": start["ticket"], "name": "a", "credential": authenticator.create(start["options"])}
        for start in starts
    ]

    def send(body: dict[str, Any]) -> Any:
        try:
            return client.post(f"{MFA}passkeys/", body)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        responses = sorted(pool.map(send, bodies), key=lambda each: each.status_code)
    assert [each.status_code for each in responses] == [201, 409]
    assert RecoveryCode.objects.filter(user=user).count() == 10


@pytest.mark.django_db(transaction=True)
def test_two_apps_confirmed_at_once_give_one_set_of_recovery_codes(user: User) -> None:
    client = Client().as_user(user)
    app = App(client.post(f"{MFA}totp/").json()["secret"])

    def send(code: str) -> int:
        try:
            return client.post(f"{MFA}totp/confirm/", {"code": code}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, [app.code(), app.code(1)])) == [200, 400]
    assert RecoveryCode.objects.filter(user=user).count() == 10


def test_an_administrator_resets_the_factors_of_a_user(
    api: Client, signed_in: Client, user: User, factor_mails: Mails
) -> None:
    set_up_app(user)
    add_passkey(user)
    first_step(api, user)
    output = StringIO()
    call_command("reset_mfa", user.email.upper(), stdout=output)
    assert "Removed the second factors" in output.getvalue()
    assert not policy.has_factor(user)
    assert not RecoveryCode.objects.exists() and not MfaTicket.objects.filter(user=user).exists()
    assert signed_in.get(MFA).status_code == 401
    assert factor_mails()[-1].startswith("An administrator removed all your second factors")
    log_in(api, user)
    output = StringIO()
    call_command("reset_mfa", user.username, stdout=output)
    assert "has no second factor" in output.getvalue()
    with pytest.raises(CommandError, match="No account"):
        call_command("reset_mfa", "nobody")


def test_the_encryption_key_is_replaced(api: Client, user: User, settings: Any) -> None:
    app, _ = set_up_app(user)
    old, settings.ENCRYPTION_KEY = settings.ENCRYPTION_KEY, "n" * 40
    with pytest.raises(CommandError, match="ENCRYPTION_KEY_FALLBACKS"):
        call_command("rotate_encryption_key", stdout=StringIO())
    settings.ENCRYPTION_KEY_FALLBACKS = [old]
    assert second_step(api, user, code=app.code(1)).status_code == 200
    call_command("rotate_encryption_key", stdout=StringIO())
    settings.ENCRYPTION_KEY_FALLBACKS = []
    assert second_step(api, user, code=app.code(2)).status_code == 200


def test_a_secret_from_before_the_encryption_key_was_set_can_be_read(api: Client, user: User, settings: Any) -> None:
    settings.ENCRYPTION_KEY, key = "", settings.ENCRYPTION_KEY
    app, _ = set_up_app(user)
    settings.ENCRYPTION_KEY = key
    assert second_step(api, user, code=app.code(1)).status_code == 200


def test_the_export_lists_factors_without_their_secrets(signed_in: Client, user: User) -> None:
    app, codes = set_up_app(user)
    add_passkey(user, "Blue key")
    response = signed_in.get(f"{AUTH}export/")
    account = response.json()["account"]
    assert account["second_factors"]["passkeys"][0]["name"] == "Blue key"
    assert account["second_factors"]["authenticator_app"]["created_at"]
    assert len(account["second_factors"]["recovery_codes"]) == 10
    text = response.content.decode()
    assert app.secret not in text and codes[0] not in text and "code_hash" not in text


def test_factors_are_deleted_with_the_account(signed_in: Client, user: User) -> None:
    set_up_app(user)
    add_passkey(user)
    assert signed_in.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    assert not any(model.objects.exists() for model in (Totp, Passkey, RecoveryCode, MfaTicket))
