"""Setting up, changing and removing second factors. Every change is mailed to the user and recorded.

Callers check first that the sign-in is recent (services.recent_sign_in).
"""

import secrets
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from rest_framework.exceptions import NotFound, ValidationError

from config import audit, encryption
from config.api.errors import Conflict

from ...devices import Device
from ...factors import policy, recovery, totp, webauthn
from ...models import MfaTicket, Passkey, RecoveryCode, Totp, User
from ..sessions import end_sessions
from . import answers, tickets
from .second_step import PasskeyChallenge
from .tickets import Purpose

ENROLMENT = timedelta(minutes=15)  # to scan a QR code and enter the first code
MAX_PASSKEYS = 20
HANDLE_BYTES = 32


class NotStarted(ValidationError):
    """No authenticator app is waiting for its first code."""

    def __init__(self) -> None:
        super().__init__({"code": ["The setup was not started or has expired. Start it again."]}, "expired_token")


class LastFactor(Conflict):
    """``MFA_REQUIRED`` does not allow the user to be without a factor."""

    default_detail = "This is your last second factor, and this site requires one. Add another one first."
    default_code = "factor_required"


class NoFactor(Conflict):
    default_detail = "Recovery codes replace a second factor. Set up an authenticator app or a passkey first."
    default_code = "no_factor"


class TooManyPasskeys(Conflict):
    default_detail = f"You have {MAX_PASSKEYS} passkeys, the maximum. Delete one first."
    default_code = "too_many_passkeys"


class PasskeyExists(Conflict):
    default_detail = "This passkey is already registered."
    default_code = "passkey_exists"


class Enrolment(NamedTuple):
    """A new authenticator app that waits for its first code. ``qr`` is an SVG document."""

    secret: str
    uri: str
    qr: str


class NewPasskey(NamedTuple):
    """A new passkey; ``recovery_codes`` is None unless it is the user's first factor."""

    passkey: Passkey
    recovery_codes: list[str] | None


@transaction.atomic
def start_app(*, user: User) -> Enrolment:
    """Create the secret of a new authenticator app. An app that is already confirmed works until the new one is."""
    user = _lock(user)
    secret = totp.new_secret()
    pending = {
        "pending_secret": encryption.encrypt(secret),
        "pending_auth_hash": user.get_session_auth_hash(),
        "pending_until": Now() + ENROLMENT,
    }
    Totp.objects.update_or_create(user=user, defaults=pending)
    return _enrolment(user, secret)


def pending_app(*, user: User) -> Enrolment | None:
    """Return the new app that waits for its first code, or None."""
    app = _open_enrolment(user)
    return _enrolment(user, encryption.decrypt(app.pending_secret)) if app else None


def _enrolment(user: User, secret: str) -> Enrolment:
    uri = totp.uri(secret, account=user.username, issuer=webauthn.RP_NAME)
    return Enrolment(secret, uri, totp.qr(uri))


def _open_enrolment(user: User) -> Totp | None:
    app = Totp.objects.filter(user=user, pending_until__gt=Now()).first()
    return app if app and app.pending_auth_hash == user.get_session_auth_hash() else None


@transaction.atomic
def confirm_app(*, user: User, code: str, device: Device) -> list[str]:
    """Confirm the new app with its first code; returns recovery codes if it is the user's first factor, else none.

    Raises NotStarted or answers.InvalidCode.
    """
    user = _lock(user)
    app = _open_enrolment(user)
    if app is None:
        raise NotStarted
    step = totp.matching_step(encryption.decrypt(app.pending_secret), code) if totp.is_code(code) else None
    if step is None:
        raise answers.InvalidCode(detail="This code is wrong. Compare the clock of your device with the right time.")
    is_first = not policy.has_factor(user)
    Totp.objects.filter(user=user).update(
        secret=app.pending_secret, created_at=Now(), last_step=step, pending_secret="", pending_until=None
    )
    audit.record("totp_enabled", user=user, details={"replaced": app.is_enabled})
    answers.notify(user=user, change="An authenticator app was set up.", device=device)
    return _first_factor(user) if is_first else []


@transaction.atomic
def remove_app(*, user: User, device: Device) -> None:
    """Remove the authenticator app, also one that is not confirmed; raises LastFactor."""
    user = _lock(user)
    app = Totp.objects.filter(user=user).first()
    if app is None:
        return
    if app.is_enabled and policy.is_required(user) and not Passkey.objects.filter(user=user).exists():
        raise LastFactor
    app.delete()
    if app.is_enabled:
        audit.record("totp_removed", user=user)
        answers.notify(user=user, change="The authenticator app was removed.", device=device)
        _factor_removed(user)


@transaction.atomic
def start_passkey(*, user: User) -> PasskeyChallenge:
    """Return a challenge for a new passkey; raises answers.PasskeysUnavailable or TooManyPasskeys."""
    site = answers.site()
    user = _lock(user)
    own = Passkey.objects.filter(user=user)
    if own.count() >= MAX_PASSKEYS:
        raise TooManyPasskeys
    first = own.values_list("user_handle", flat=True).first()  # the same for all passkeys: a device keeps one of them
    handle = bytes(first) if first else secrets.token_bytes(HANDLE_BYTES)
    ticket = tickets.open_ticket(purpose=Purpose.ADD_PASSKEY, user=user, user_handle=handle)
    options = webauthn.creation_options(site, user=user, challenge=ticket.challenge, user_handle=handle)
    return PasskeyChallenge(ticket.raw, options)


@transaction.atomic
def add_passkey(*, user: User, ticket: str, name: str, credential: dict[str, Any], device: Device) -> NewPasskey:
    """Store the passkey that a browser has created.

    Raises the errors of tickets.lock_ticket, answers.InvalidPasskey, PasskeyExists or TooManyPasskeys.
    """
    site = answers.site()
    user = _lock(user)
    row = tickets.lock_ticket(raw=ticket, purpose=Purpose.ADD_PASSKEY, user=user)
    try:
        new = webauthn.check_creation(site, credential=credential, challenge=bytes(row.challenge or b""))
    except webauthn.InvalidCredential as error:
        raise answers.InvalidPasskey from error
    if Passkey.objects.filter(user=user).count() >= MAX_PASSKEYS:
        raise TooManyPasskeys
    is_first = not policy.has_factor(user)
    try:
        with transaction.atomic():
            passkey = Passkey.objects.create(
                user=user, name=name, user_handle=bytes(row.user_handle or b""), **new._asdict()
            )
    except IntegrityError as error:
        raise PasskeyExists from error
    passkey.refresh_from_db(fields=["created_at"])
    tickets.use_ticket(row)
    audit.record("passkey_added", user=user, target=passkey, details={"name": name})
    answers.notify(user=user, change=f"The passkey “{name}” was added.", device=device)
    return NewPasskey(passkey, _first_factor(user) if is_first else None)


@transaction.atomic
def rename_passkey(*, user: User, id: UUID, name: str, device: Device) -> Passkey:
    """Change the name of a passkey; raises NotFound."""
    passkey = _own_passkey(_lock(user), id)
    before, passkey.name = passkey.name, name
    if name != before:
        passkey.save(update_fields=["name"])
        audit.record("passkey_renamed", user=user, target=passkey, details={"before": before, "after": name})
        answers.notify(user=user, change=f"The passkey “{before}” was renamed to “{name}”.", device=device)
    return passkey


@transaction.atomic
def remove_passkey(*, user: User, id: UUID, device: Device) -> None:
    """Delete a passkey; raises NotFound or LastFactor."""
    user = _lock(user)
    passkey = _own_passkey(user, id)
    has_app = Totp.objects.filter(user=user).exclude(secret="").exists()  # noqa: S106  no secret: a filter
    others = Passkey.objects.filter(user=user).exclude(pk=passkey.pk)
    if policy.is_required(user) and not has_app and not others.exists():
        raise LastFactor
    audit.record("passkey_removed", user=user, target=passkey, details={"name": passkey.name})
    passkey.delete()
    answers.notify(user=user, change=f"The passkey “{passkey.name}” was removed.", device=device)
    _factor_removed(user)


@transaction.atomic
def new_recovery_codes(*, user: User, device: Device) -> list[str]:
    """Replace the recovery codes; raises NoFactor."""
    user = _lock(user)
    if not policy.has_factor(user):
        raise NoFactor
    audit.record("recovery_codes_created", user=user)
    answers.notify(user=user, change="New recovery codes were created. The old ones no longer work.", device=device)
    return _replace_codes(user)


@transaction.atomic
def reset(*, user: User) -> bool:
    """Remove all factors of a user who has lost them, end every session; returns whether there were any."""
    user = _lock(user)
    had_any = policy.has_factor(user)
    Totp.objects.filter(user=user).delete()
    Passkey.objects.filter(user=user).delete()
    MfaTicket.objects.filter(user=user).delete()
    _factor_removed(user)
    if had_any:
        end_sessions(user.sessions.all())
        audit.record("mfa_reset", user=user)
        answers.notify(user=user, change="An administrator removed all your second factors and signed out all devices.")
    return had_any


def rotate_secrets() -> int:
    """Encrypt the secrets of all apps with the current ENCRYPTION_KEY; returns how many. May be repeated."""
    rotated = 0
    for pk in Totp.objects.values_list("pk", flat=True).iterator():
        with transaction.atomic():
            for app in Totp.objects.select_for_update().filter(pk=pk):
                for field in ("secret", "pending_secret"):
                    if text := getattr(app, field):
                        setattr(app, field, encryption.rotate(text))
                app.save(update_fields=["secret", "pending_secret"])
                rotated += 1
    return rotated


def _lock(user: User) -> User:
    """Lock the row of ``user``: changes of factors, codes and passwords of an account run one after the other."""
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _own_passkey(user: User, id: UUID) -> Passkey:
    passkey = Passkey.objects.filter(user=user, pk=id).first()
    if passkey is None:
        raise NotFound
    return passkey


def _first_factor(user: User) -> list[str]:
    User.objects.filter(pk=user.pk).update(mfa_enabled=True)
    return _replace_codes(user)


def _factor_removed(user: User) -> None:
    """Without a factor, recovery codes have no use."""
    if not policy.has_factor(user):
        User.objects.filter(pk=user.pk).update(mfa_enabled=False)
        RecoveryCode.objects.filter(user=user).delete()


def _replace_codes(user: User) -> list[str]:
    codes = recovery.new_codes()
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, code_hash=recovery.hash_code(code)) for code in codes)
    return codes
