"""Sign-in with OpenID Connect: which account a person at the provider has, connecting and disconnecting it."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from config import audit, mail

from ..addresses import normalize_address
from ..devices import Device
from ..factors import policy
from ..models import OidcAttempt, OidcIdentity, Passkey, User, UserSession
from ..oidc import provider
from ..oidc.calls import InvalidAnswer
from ..oidc.provider import Identity
from . import links, recent_sign_in, registration

Purpose = OidcAttempt.Purpose

LIFETIME = timedelta(minutes=10)  # of an attempt, while the person signs in at the provider
USERNAME_TRIES = 20


class SignInRefused(Exception):
    """The person is known at the provider, but gets no access here. ``message`` is for people."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


class UnknownAttempt(Exception):
    """The callback does not belong to a sign-in that this browser has begun within the last ten minutes, or twice."""


class Answer(NamedTuple):
    """What the provider has answered to an attempt."""

    purpose: str
    next_url: str
    user_id: int | None
    identity: Identity


def redirect_uri() -> str:
    """Return the address of the callback, which the operator registers at the provider."""
    return f"{settings.PUBLIC_URL}/oidc/callback/"


def begin(*, purpose: Purpose, next_url: str, browser: str, user: User | None = None) -> str:
    """Begin a sign-in and return the URL at the provider; raises calls.ProviderError.

    ``browser`` is the secret in this browser's cookie: the callback must come from the same one.
    """
    start = provider.start(redirect_uri=redirect_uri(), again=purpose == Purpose.AGAIN)
    OidcAttempt.objects.create(
        purpose=purpose, next_url=next_url, user=user, browser_hash=_hash(browser), state_hash=_hash(start.state),
        nonce=start.nonce, verifier=start.verifier,
    )  # fmt: skip
    return start.url


def finish(*, state: str, browser: str, code: str, issuer: str | None) -> Answer:
    """Return who has signed in at the provider; raises UnknownAttempt or calls.ProviderError.

    An attempt works once, whatever the provider answers.
    """
    attempt = take_attempt(state=state, browser=browser)
    identity = provider.finish(
        code=code, issuer=issuer, nonce=attempt.nonce, verifier=attempt.verifier, redirect_uri=redirect_uri()
    )
    if attempt.purpose == Purpose.AGAIN:
        oldest = attempt.created_at.timestamp() - provider.LEEWAY
        if not isinstance(identity.auth_time, (int, float)) or identity.auth_time < oldest:
            raise InvalidAnswer("not_asked_again")
    return Answer(attempt.purpose, attempt.next_url, attempt.user_id, identity)


@transaction.atomic
def take_attempt(*, state: str, browser: str) -> OidcAttempt:
    """Delete and return the attempt of a callback; raises UnknownAttempt."""
    attempt = (
        OidcAttempt.objects.select_for_update()
        .filter(state_hash=_hash(state), browser_hash=_hash(browser), created_at__gt=Now() - LIFETIME)
        .first()
    )
    if attempt is None:
        raise UnknownAttempt
    OidcAttempt.objects.filter(pk=attempt.pk).delete()
    return attempt


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def user_of(*, identity: Identity, device: Device) -> User:
    """Return the account of ``identity``: connected, with its address, or new; raises SignInRefused."""
    try:
        with transaction.atomic():
            return _find_or_create(identity, device)
    except SignInRefused as refused:
        audit.record("login_failed", details={"with": "oidc", "reason": refused.reason})
        raise


def _find_or_create(identity: Identity, device: Device) -> User:
    known = OidcIdentity.objects.select_related("user").by_identity(identity.issuer, identity.subject).first()
    if known is not None:
        _require_active(known.user)
        OidcIdentity.objects.filter(pk=known.pk).update(last_used_at=Now())
        return known.user
    email = _verified_address(identity)
    links.lock_address(email)
    user = User.objects.by_email(email).select_for_update(no_key=True).first()
    if user is None:
        user = _sign_up(identity, email)
        _connect(user, identity)
        return user
    _require_active(user)
    if not user.email_verified:
        raise SignInRefused("Confirm the e-mail address of your account here first.", "unconfirmed_address")
    if user.is_staff or user.is_superuser:
        raise SignInRefused(
            f"This is a staff account. Sign in with your password, then connect {settings.OIDC_LABEL} on your account "
            "page.",
            "staff",
        )
    _connect(user, identity)
    _notify(user, "oidc_connected", device)
    return user


def _require_active(user: User) -> None:
    if not user.is_active:
        raise SignInRefused("Your account here is deactivated. Ask the operator of this site.", "inactive")


def _verified_address(identity: Identity) -> str:
    """Return the address that the provider calls verified, as it is stored here; raises SignInRefused."""
    try:
        return normalize_address(identity.email or "")
    except ValueError:
        raise SignInRefused(
            f"{settings.OIDC_LABEL} did not confirm an e-mail address of yours, so it cannot be matched with an "
            "account here.",
            "unverified_address",
        ) from None


def _connect(user: User, identity: Identity) -> None:
    if OidcIdentity.objects.filter(user=user, issuer=identity.issuer).exists():
        raise SignInRefused(
            f"Your account here is connected to another account of {settings.OIDC_LABEL}.", "second_subject"
        )
    try:
        with transaction.atomic():
            row = OidcIdentity.objects.create(user=user, issuer=identity.issuer, subject=identity.subject)
    except IntegrityError as error:  # two callbacks at once
        raise SignInRefused("The sign-in was repeated. Sign in again.", "connected_at_once") from error
    audit.record("oidc_connected", user=user, actor=user, target=row)


def _sign_up(identity: Identity, email: str) -> User:
    if not settings.OIDC_SIGNUP:
        raise SignInRefused(
            f"No account here has the address that {settings.OIDC_LABEL} confirmed, and accounts are not created "
            "automatically. Ask the operator of this site.",
            "no_account",
        )
    try:
        registration.check_domain(email)
    except registration.RegistrationClosed as error:
        raise SignInRefused(str(error.detail), "domain") from error
    user = User(email=email)
    user.set_unusable_password()
    for username in _usernames(identity.username):
        user.username = username
        if registration.username_is_free(username):
            try:
                registration.save_confirmed(user, way="oidc")
            except IntegrityError as error:
                if "user_username_unique" in str(error):
                    continue
                raise SignInRefused("The sign-in was repeated. Sign in again.", "connected_at_once") from error
            registration.void_registrations(email)
            return User.objects.get(pk=user.pk)
    raise SignInRefused("No username is free. Ask the operator of this site for an account.", "no_username")


def _usernames(wanted: str) -> list[str]:
    """Return usernames to try: the one at the provider if it is valid here, then the same with random digits.

    Never a part of the address: other people see the username.
    """
    base = re.sub(r"[^A-Za-z0-9]", "", wanted.partition("@")[0] if "@" not in wanted else "")[:24]
    tries = [f"{base or 'user'}{secrets.randbelow(10**6):06}" for _ in range(USERNAME_TRIES)]
    return [base, *tries] if len(base) >= 3 else tries


def connect(*, user: User, identity: Identity, session: UserSession | None, device: Device) -> None:
    """Connect the account of a signed-in user, whose address the provider must have confirmed too.

    Raises SignInRefused or recent_sign_in.ReauthenticationRequired.
    """
    recent_sign_in.require_recent_sign_in(session=session)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        known = OidcIdentity.objects.by_identity(identity.issuer, identity.subject).first()
        if known is not None:
            if known.user_id == user.pk:
                return
            raise SignInRefused(
                f"This account of {settings.OIDC_LABEL} is connected to another account here.", "other_account"
            )
        if not user.email_verified or _verified_address(identity).lower() != user.email_lower:
            raise SignInRefused(
                f"{settings.OIDC_LABEL} confirmed another e-mail address than that of your account here. Change one of "
                "them first.",
                "other_address",
            )
        _connect(user, identity)
        _notify(user, "oidc_connected", device)


class OnlyWayIn(SignInRefused):
    """Without the provider the user could not sign in any more."""

    def __init__(self) -> None:
        super().__init__("Set a password first, otherwise you could not sign in any more.", "only_way_in")


def disconnect(*, user: User, session: UserSession | None, device: Device) -> None:
    """Remove the connection to the provider; raises OnlyWayIn or recent_sign_in.ReauthenticationRequired."""
    recent_sign_in.require_recent_sign_in(session=session)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not user.has_usable_password() and not Passkey.objects.filter(user=user).exists():
            raise OnlyWayIn
        row = OidcIdentity.objects.filter(user=user).first()
        if row is not None:
            audit.record("oidc_disconnected", user=user, target=row)
            OidcIdentity.objects.filter(user=user).delete()
            _notify(user, "oidc_disconnected", device)


@transaction.atomic
def sign_in_again(*, user: User, session: UserSession | None, identity: Identity) -> None:
    """Record that the user of ``session`` has signed in again; raises SignInRefused for another person."""
    if not OidcIdentity.objects.by_identity(identity.issuer, identity.subject).filter(user=user).exists():
        raise SignInRefused(f"You signed in to {settings.OIDC_LABEL} as somebody else.", "other_account")
    if policy.has_factor(user):
        raise SignInRefused("Your account has a second factor: confirm with that one.", "factor_needed")
    if session is not None:
        UserSession.objects.filter(pk=session.pk).update(authenticated_at=Now())
    audit.record("reauthenticated", user=user, details={"with": "oidc"})


def delete_expired() -> int:
    """Delete the attempts that nobody has finished in time; returns how many."""
    return OidcAttempt.objects.filter(created_at__lte=Now() - LIFETIME).delete()[0]


def _notify(user: User, template: str, device: Device) -> None:
    context = {"username": user.username, "label": settings.OIDC_LABEL, **device.mail_context()}
    mail.queue(to=user.email, template=template, context=context, user=user)
