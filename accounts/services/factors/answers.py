"""Checking what a user presents as second factor: a code of the app, a recovery code, or a passkey.

The functions run in the caller's transaction, with the user's row locked. They return a refusal instead of raising it,
so that what they count is committed; the caller raises it after the commit.
"""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.exceptions import APIException, Throttled, ValidationError

from config import audit, encryption, mail
from config.audit.context import current_request

from ...devices import Device
from ...factors import recovery, totp, webauthn
from ...models import Passkey, RecoveryCode, Totp, User, WrongCode

MAX_WRONG_CODES = 10  # of authenticator apps, for an account, over all tickets
WINDOW = timedelta(hours=1)


class InvalidCode(ValidationError):
    """The code or the passkey is wrong, was used before, or belongs to another account."""

    def __init__(self, field: str = "code", detail: str = "") -> None:
        super().__init__({field: [detail or "This code is wrong, or it was already used."]}, "invalid_code")


class InvalidPasskey(InvalidCode):
    """The passkey's answer is not valid here."""

    def __init__(self) -> None:
        super().__init__("credential", "This passkey was not accepted. Try again, or use another way to sign in.")


class ClonedPasskey(InvalidPasskey):
    """The passkey's counter did not increase, so a copy of it exists. The client learns only that it was refused."""


class TooManyCodes(Throttled):
    """Ten wrong codes within an hour. Passkeys and recovery codes still work."""

    default_detail = "Too many wrong codes. Use a passkey or a recovery code, or try again later."
    extra_detail_singular = extra_detail_plural = ""


class PasskeysUnavailable(ValidationError):
    """WebAuthn does not allow an IP address as the name of a site."""

    def __init__(self) -> None:
        super().__init__(
            "Passkeys need a host name, but this site is at an IP address. Open it as localhost, or set PUBLIC_URL.",
            "passkeys_unavailable",
        )


def site() -> webauthn.RelyingParty:
    """Return this site as passkeys know it; raises PasskeysUnavailable."""
    found = webauthn.relying_party()
    if found is None:
        raise PasskeysUnavailable
    return found


def check_code(*, user: User, code: str) -> str | APIException:
    """Use up ``code``; returns ``totp`` or ``recovery_code``, or why it is refused."""
    return _check_app(user, code) if totp.is_code(code) else _check_recovery_code(user, code)


def _check_app(user: User, code: str) -> str | APIException:
    app = Totp.objects.filter(user=user).exclude(secret="").first()  # noqa: S106  no secret: a filter
    if app is None:
        return InvalidCode()
    wrong = list(
        WrongCode.objects.filter(user=user, at__gt=Now() - WINDOW).order_by("-at").values_list("at", flat=True)
    )
    if len(wrong) >= MAX_WRONG_CODES:
        end = wrong[MAX_WRONG_CODES - 1] + WINDOW
        return TooManyCodes(wait=max((end - timezone.now()).total_seconds(), 1))
    step = totp.matching_step(encryption.decrypt(app.secret), code, after=app.last_step)
    if step is None:
        WrongCode.objects.create(user=user)
        return InvalidCode()
    Totp.objects.filter(user=user).update(last_step=step)
    return "totp"


def _check_recovery_code(user: User, code: str) -> str | APIException:
    unused = RecoveryCode.objects.filter(user=user, used_at=None)
    if not unused.filter(code_hash=recovery.hash_code(code)).update(used_at=Now()):
        return InvalidCode()
    left = unused.count()
    notify(user=user, change="A recovery code was used. " + _codes_left(left))
    return "recovery_code"


def check_passkey(
    *, user: User, credential: dict[str, Any], challenge: bytes, verify_user: bool = False
) -> str | APIException:
    """Check the answer of a passkey of ``user`` to ``challenge``; returns ``passkey``, or why it is refused."""
    credential_id = webauthn.credential_id(credential)
    passkey = Passkey.objects.filter(user=user, credential_id=credential_id).first() if credential_id else None
    if passkey is None:
        return InvalidPasskey()
    try:
        assertion = webauthn.check_assertion(
            site(), credential=credential, challenge=challenge, passkey=passkey, verify_user=verify_user
        )
    except webauthn.InvalidCredential:
        return InvalidPasskey()
    if assertion.is_clone:
        audit.record("passkey_cloned", user=user, target=passkey, details={"name": passkey.name})
        notify(
            user=user,
            change=f"A copy of the passkey “{passkey.name}” was refused: its counter did not increase. "
            "Remove the passkey and add it again.",
        )
        return ClonedPasskey()
    Passkey.objects.filter(pk=passkey.pk).update(sign_count=assertion.sign_count, last_used_at=Now())
    return "passkey"


def notify(*, user: User, change: str, device: Device | None = None) -> None:
    """Mail ``user`` that a factor was changed or used; ``change`` is a sentence without secrets."""
    context = {"username": user.username, "change": change, **(device or _device()).mail_context()}
    mail.queue(to=user.email, template="factor_changed", context=context, user=user)


def _device() -> Device:
    request = current_request()
    return Device.of(request) if request else Device()


def _codes_left(left: int) -> str:
    return "None is left: create new ones." if not left else f"{left} {'are' if left > 1 else 'is'} left."
