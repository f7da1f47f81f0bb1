"""Signing in, staying signed in, signing out."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from config import events, mail

from .. import tokens
from ..authentication import InvalidToken
from ..backends import EmailOrUsernameBackend
from ..devices import Device
from ..models import User, UserSession

# How long a client that lost the answer to its refresh, or refreshes in two tabs at once, gets the same answer again.
REFRESH_GRACE = timedelta(seconds=10)
LAST_DEVICES = 200  # so many back a device counts as known


class InvalidCredentials(AuthenticationFailed):
    default_detail = "No account has this name and password."
    default_code = "invalid_credentials"


class EmailNotVerified(PermissionDenied):
    default_detail = "Please confirm your e-mail address first, by the link in the mail we sent you."
    default_code = "email_not_verified"


class SignedIn(NamedTuple):
    user: User
    access: str
    refresh: str


def check_credentials(*, request: HttpRequest, login: str, password: str) -> User:
    """Whoever ``login`` (e-mail address or username) and ``password`` belong to.

    Raises InvalidCredentials, in the same time for an unknown account, or EmailNotVerified once the password was right.
    """
    # Not by django.contrib.auth.authenticate(): django-axes, which guards the admin's door, would lock here as well.
    user = EmailOrUsernameBackend().authenticate(request, username=login, password=password)
    if user is None:
        raise InvalidCredentials
    if not user.email_verified:
        raise EmailNotVerified
    return user


@transaction.atomic
def sign_in(*, user: User, password: str, device: Device) -> SignedIn:
    """Start a session with tokens for ``user``, whose credentials have just been checked.

    The row is locked and the password compared with the one that was checked: a session must not begin behind the back
    of a password change that ended them all. Raises InvalidCredentials where that has happened.
    """
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).first()
    if current is None or not (current.password == user.password or current.check_password(password)):
        raise InvalidCredentials
    tell_of_new_device(user=current, device=device)
    _, access, refresh = tokens.start_session(user=current, ip=device.ip, user_agent=device.user_agent)
    User.objects.filter(pk=current.pk).update(last_login=Now())
    return SignedIn(current, access, refresh)


def tell_of_new_device(*, user: User, device: Device) -> None:
    """Mail ``user`` that somebody signs in from where nobody has before; not at the very first time."""
    seen = list(UserSession.objects.filter(user=user).values_list("ip", "user_agent")[:LAST_DEVICES])
    if seen and not any(agent == device.user_agent and device.near(ip) for ip, agent in seen):
        mail.queue(to=user.email, template="new_device", context={"username": user.username, **device.told()})


def refresh(*, raw: str, device: Device) -> SignedIn:
    """Exchange a refresh token for new tokens; the old one is spent.

    A spent one is worth its successor once more for REFRESH_GRACE, to the client that spent it. Later, or from another
    client, it is a stolen one: its session ends. Raises InvalidToken.
    """
    try:
        token = tokens.read(raw, RefreshToken)
    except tokens.BadToken as error:
        raise InvalidToken from error
    renewed = _rotate(token, device)
    if renewed is None:
        raise InvalidToken
    return renewed


@transaction.atomic
def _rotate(token: Token, device: Device) -> SignedIn | None:
    """None, and not an exception, where the token is refused: the end of its session is to be committed."""
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
    elif not _is_repeat(session, token["jti"], device):
        end_sessions(UserSession.objects.filter(pk=session.pk))
        return None
    return SignedIn(session.user, str(tokens.access_token(session)), str(tokens.refresh_token(session)))


def _issue_successor(session: UserSession, device: Device) -> None:
    session.spent_jti, session.refresh_jti = session.refresh_jti, tokens.new_jti()
    session.refresh_issued_at = session.last_used_at = timezone.now()
    session.ip, session.user_agent = device
    session.save(update_fields=["spent_jti", "refresh_jti", "refresh_issued_at", "last_used_at", "ip", "user_agent"])


def _is_repeat(session: UserSession, jti: str, device: Device) -> bool:
    return (
        jti == session.spent_jti
        and (session.ip, session.user_agent) == device
        and session.refresh_issued_at is not None
        and timezone.now() - session.refresh_issued_at < REFRESH_GRACE
    )


class TokenState(NamedTuple):
    type: str
    expires_at: datetime


def examine(*, raw: str) -> TokenState:
    """What kind of token ``raw`` is, and until when; raises InvalidToken where it or its session is no longer good."""
    for kind in (AccessToken, RefreshToken):
        try:
            token = tokens.read(raw, kind)
        except tokens.BadToken:
            continue
        session = tokens.live_session(token)
        if session is not None and (kind is AccessToken or token["jti"] == session.refresh_jti):
            return TokenState(kind.token_type, datetime.fromtimestamp(token["exp"], UTC))
    raise InvalidToken


def sign_out(*, raw: str) -> None:
    """End the session of a refresh token; one that has ended already is no error. Raises InvalidToken."""
    try:
        token = tokens.read(raw, RefreshToken)
    except tokens.BadToken as error:
        raise InvalidToken from error
    end_sessions(UserSession.objects.filter(pk=token["sid"], user_id=token["user_id"]))


@transaction.atomic
def end_sessions(sessions: QuerySet[UserSession]) -> int:
    """End ``sessions``, by tokens and by cookie alike, as of the commit; returns how many had not ended before."""
    ending = list(
        sessions.filter(ended_at=None).select_for_update(of=("self",), no_key=True).values_list("pk", "session_key")
    )
    if not ending:
        return 0
    UserSession.objects.filter(pk__in=[pk for pk, _ in ending]).update(ended_at=Now())
    Session.objects.filter(session_key__in=[key for _, key in ending if key]).delete()
    events.end_sessions(pk for pk, _ in ending)  # closes the event streams that were opened in them
    return len(ending)


@transaction.atomic
def remember_cookie(*, user: User, session_key: str, device: Device) -> UserSession:
    """Note a sign-in of this site's own pages among the user's devices."""
    tell_of_new_device(user=user, device=device)
    return UserSession.objects.create(
        user=user,
        ip=device.ip,
        user_agent=device.user_agent,
        session_key=session_key,
        expires_at=timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
