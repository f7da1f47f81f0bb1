"""Signing in, refreshing tokens, and signing out."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from config import audit, mail
from config.realtime import events

from .. import tokens
from ..authentication import InvalidToken
from ..backends import EmailOrUsernameBackend
from ..devices import Device
from ..models import User, UserSession
from . import registration
from .factors import second_step
from .factors.second_step import SecondStep

# A client that lost the response, or refreshes in two tabs at once, gets the same response again until it uses one of
# the new tokens, but not for longer than this (docs/decisions/refresh-grace.md).
REFRESH_GRACE = timedelta(minutes=10)
KNOWN_DEVICES = 200  # latest sessions that are compared to recognize a device


class InvalidCredentials(AuthenticationFailed):
    """No active account has this login and password."""

    default_detail = "Wrong username or password."
    default_code = "invalid_credentials"


class EmailNotVerified(PermissionDenied):
    """The password is right, but the address is not confirmed."""

    default_detail = "Confirm your e-mail address first. We sent you a link by e-mail."
    default_code = "email_not_verified"


class SignedIn(NamedTuple):
    """A user with the tokens of a session."""

    user: User
    access: str
    refresh: str


def check_credentials(*, request: HttpRequest, login: str, password: str) -> User:
    """Return the user with this ``login`` (e-mail address or username) and ``password``.

    Raises EmailNotVerified for the right password of a pending registration, or of an account without a confirmed
    address. Raises InvalidCredentials otherwise. Every failure costs the same two hashes, so the time reveals nothing.
    """
    # Not django.contrib.auth.authenticate(): django-axes, which protects the admin's login page, would count here too.
    user = EmailOrUsernameBackend().authenticate(request, username=login, password=password)
    if user is not None and user.email_verified:
        return user
    pending = registration.pending_password_matches(login=login, password=password)
    if user is not None or pending:
        raise EmailNotVerified
    audit.record("login_failed", user=User.objects.by_login(login).first() if "\x00" not in login else None)
    raise InvalidCredentials


@transaction.atomic
def sign_in(*, user: User, password: str, device: Device) -> SignedIn | SecondStep:
    """Start a session with tokens for ``user``, whose credentials have just been checked.

    An account with a second factor gets a ticket instead: see sign_in_with_second_step.

    The row is locked and the password compared again: a concurrent password change ends all sessions, and no session
    with the old password may start after it. Raises InvalidCredentials in that case.
    """
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).first()
    if current is None or not (current.password == user.password or current.check_password(password)):
        raise InvalidCredentials
    return second_step.begin(user=current, first_step="password") or _start(current, "password", device)


def sign_in_with_second_step(
    *, ticket: str, code: str | None = None, credential: dict[str, Any] | None = None, device: Device
) -> SignedIn:
    """Start a session with tokens after the second step; raises the errors of second_step.finish."""
    with transaction.atomic():
        answer = second_step.try_finish(ticket=ticket, code=code, credential=credential)
        signed_in = answer if isinstance(answer, APIException) else _start(*answer, device)
    if isinstance(signed_in, APIException):
        raise signed_in
    return signed_in


def sign_in_with_passkey(*, ticket: str, credential: dict[str, Any], device: Device) -> SignedIn:
    """Start a session with tokens for the owner of a passkey; raises the errors of second_step.finish."""
    with transaction.atomic():
        answer = second_step.try_finish_with_passkey(ticket=ticket, credential=credential)
        signed_in = answer if isinstance(answer, APIException) else _start(*answer, device)
    if isinstance(signed_in, APIException):
        raise signed_in
    return signed_in


def _start(user: User, signed_in_with: str, device: Device) -> SignedIn:
    notify_new_device(user=user, device=device)
    session, access, refresh = tokens.start_session(
        user=user, ip=device.ip, user_agent=device.user_agent, signed_in_with=signed_in_with
    )
    details = {"session": "tokens", "with": signed_in_with}
    audit.record("login", user=user, actor=user, target=session, details=details)
    User.objects.filter(pk=user.pk).update(last_login=Now())
    return SignedIn(user, access, refresh)


def notify_new_device(*, user: User, device: Device) -> None:
    """Mail ``user`` a notice of a sign-in from an unknown device, except for the first sign-in."""
    seen = list(UserSession.objects.filter(user=user).values_list("ip", "user_agent")[:KNOWN_DEVICES])
    if seen and not any(agent == device.user_agent and device.is_near(ip) for ip, agent in seen):
        context = {"username": user.username, **device.mail_context()}
        mail.queue(to=user.email, template="new_device", context=context, user=user)


def refresh(*, raw: str, device: Device) -> SignedIn:
    """Exchange a refresh token for new tokens; raises InvalidToken.

    The old token is spent. It gets the same tokens again, from any address, until one of them is used and for at most
    REFRESH_GRACE. After that a spent token counts as stolen and its session ends.
    """
    try:
        token = tokens.decode(raw, RefreshToken)
    except tokens.BadToken as error:
        raise InvalidToken from error
    renewed = _rotate(token, device)
    if renewed is None:
        raise InvalidToken
    return renewed


@transaction.atomic
def _rotate(token: Token, device: Device) -> SignedIn | None:
    """Return None for a refused token. An exception would roll back the end of the session."""
    session = (
        UserSession.objects.live()
        .select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .filter(pk=token["sid"], user_id=token["user_id"])
        .first()
    )
    if session is None or not session.user.is_active:
        return None
    if token["jti"] == session.refresh_jti:
        _issue_successor(session, device)
    elif not _is_repeat(session, token["jti"]):
        end_sessions(UserSession.objects.filter(pk=session.pk))
        audit.record("session_ended", user=session.user, target=session, details={"reason": "spent_refresh"})
        return None
    return SignedIn(session.user, str(tokens.access_token(session)), str(tokens.refresh_token(session)))


def _issue_successor(session: UserSession, device: Device) -> None:
    session.spent_jti, session.refresh_jti = session.refresh_jti, tokens.new_jti()
    session.refresh_issued_at = session.last_used_at = timezone.now()
    session.ip, session.user_agent = device
    session.save(update_fields=["spent_jti", "refresh_jti", "refresh_issued_at", "last_used_at", "ip", "user_agent"])


def _is_repeat(session: UserSession, jti: str) -> bool:
    return (
        jti == session.spent_jti
        and session.refresh_issued_at is not None
        and timezone.now() - session.refresh_issued_at < REFRESH_GRACE
    )


class TokenState(NamedTuple):
    """Type and expiry of a valid token."""

    type: str
    expires_at: datetime


def inspect_token(*, raw: str) -> TokenState:
    """Return the type and expiry of ``raw``; raises InvalidToken if it is invalid or its session has ended."""
    for kind in (AccessToken, RefreshToken):
        try:
            token = tokens.decode(raw, kind)
        except tokens.BadToken:
            continue
        session = tokens.live_session(token)
        if session is not None and (kind is AccessToken or token["jti"] == session.refresh_jti):
            return TokenState(kind.token_type, datetime.fromtimestamp(token["exp"], UTC))
    raise InvalidToken


@transaction.atomic
def sign_out(*, raw: str) -> None:
    """End the session of a refresh token, if it has not ended yet; raises InvalidToken."""
    try:
        token = tokens.decode(raw, RefreshToken)
    except tokens.BadToken as error:
        raise InvalidToken from error
    session = UserSession.objects.filter(pk=token["sid"], user_id=token["user_id"]).select_related("user").first()
    if session and end_sessions(UserSession.objects.filter(pk=session.pk)):
        audit.record("logout", user=session.user, actor=session.user, target=session)


@transaction.atomic
def end_own_sessions(*, user: User, session_id: uuid.UUID | None = None) -> int:
    """End one session of ``user``, or all of them, at their own request; returns how many were still active."""
    own = UserSession.objects.filter(user=user)
    count = end_sessions(own if session_id is None else own.live().filter(pk=session_id))
    if count:
        audit.record("sessions_ended", user=user, details={"count": count, "id": session_id})
    return count


@transaction.atomic
def end_sessions(sessions: QuerySet[UserSession]) -> int:
    """End ``sessions``, token and cookie sessions alike, at the commit; returns how many were still active."""
    ending = list(
        sessions.filter(ended_at=None).select_for_update(of=("self",), no_key=True).values_list("pk", "session_key")
    )
    if not ending:
        return 0
    UserSession.objects.filter(pk__in=[pk for pk, _ in ending]).update(ended_at=Now())
    Session.objects.filter(session_key__in=[key for _, key in ending if key]).delete()
    events.end_sessions(pk for pk, _ in ending)  # closes their event streams
    return len(ending)


@transaction.atomic
def record_cookie_session(
    *, user: User, session_key: str, device: Device, signed_in_with: str = "password"
) -> UserSession:
    """Add a cookie sign-in to the user's devices; ``signed_in_with`` as in second_step.Completed."""
    notify_new_device(user=user, device=device)
    session = UserSession.objects.create(
        user=user,
        ip=device.ip,
        user_agent=device.user_agent,
        session_key=session_key,
        signed_in_with=signed_in_with,
        expires_at=timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    details = {"session": "cookie", "with": signed_in_with}
    audit.record("login", user=user, actor=user, target=session, details=details)
    return session


@transaction.atomic
def end_cookie_session(*, user: User, session_key: str) -> None:
    """End the session of a cookie, if it has not ended yet, because its user signs out."""
    if end_sessions(UserSession.objects.filter(session_key=session_key)):
        audit.record("logout", user=user)
