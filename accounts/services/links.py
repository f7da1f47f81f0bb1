"""Links in mail: asked for by a request, made and sent by the worker, used once."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from config import claims, mail
from config.celery import wake

from .. import tasks
from ..addresses import comparable
from ..devices import Device
from ..models import AccountLink, User

Purpose = AccountLink.Purpose

LIFETIME = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}
PAGE = {Purpose.VERIFY_EMAIL: "v", Purpose.CHANGE_EMAIL: "v", Purpose.RESET_PASSWORD: "r"}
CODE_BYTES = 16  # 128 bits; 22 characters in a URL


class InvalidCode(ValidationError):
    """No link has this code, or one of another purpose."""

    def __init__(self) -> None:
        super().__init__({"token": ["This link is not valid. Please ask for a new one."]}, "invalid_token")


class ExpiredCode(ValidationError):
    """The link was good once: it has expired, was used, or a later one took its place."""

    def __init__(self) -> None:
        super().__init__({"token": ["This link was used or has expired. Please ask for a new one."]}, "expired_token")


@transaction.atomic
def request_link(*, purpose: Purpose, email: str, device: Device, user: User | None = None) -> AccountLink:
    """Have a link mailed to ``email`` and spend those of the same kind before it.

    Without ``user`` the worker looks for whose address it is, so that this costs the same for an unknown one.
    """
    compared = comparable(email)
    with connection.cursor() as cursor:
        # Two requests at once must not each overlook the other's link.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"accountlink:{purpose}:{compared}"])
    spend_links(purposes=[purpose], email=compared, user=user)
    link = AccountLink.objects.create(
        purpose=purpose,
        user=user,
        email=email if purpose == Purpose.CHANGE_EMAIL else compared,
        asked_ip=device.ip,
        asked_user_agent=device.user_agent,
    )
    wake(tasks.send_links)
    return link


def spend_links(*, purposes: list[Purpose], email: str, user: User | None = None) -> None:
    """Make worthless what was asked for under ``email`` or by ``user``, whether mailed yet or not."""
    whose = Q(email=email) if user is None else Q(email=email) | Q(user=user)
    AccountLink.objects.filter(whose, purpose__in=purposes, spent_at=None).update(spent_at=Now())


def send_due_links(limit: int = 100) -> int:
    """Mail the links that are due and return how many requests are done with."""
    return claims.work_through(AccountLink.objects.all(), _send, limit=limit)


def _send(link: AccountLink) -> None:
    """Mail one link with a code made now.

    The code's hash is committed after the mail has left. A worker that dies in between leaves a mail whose link is not
    valid, and the next attempt sends one with another code: at most a mail too many, never none.
    """
    user = link.user or User.objects.by_email(link.email).first()
    if user is None or not _is_wanted(link, user):
        link.delete()  # nothing is kept of an address that nobody here has
        return
    if link.spent_at is not None:
        link.finish()
        return
    code = secrets.token_urlsafe(CODE_BYTES)
    lifetime = LIFETIME[Purpose(link.purpose)]
    message = mail.compose(
        to=link.email if link.purpose == Purpose.CHANGE_EMAIL else user.email,
        template=link.purpose,
        context={
            "username": user.username,
            "email": link.email if link.purpose == Purpose.CHANGE_EMAIL else user.email,
            "url": f"{settings.PUBLIC_URL}/{PAGE[Purpose(link.purpose)]}/{code}/",
            "hours": lifetime // timedelta(hours=1),
            **Device(link.asked_ip, link.asked_user_agent).told(at=link.created_at),
        },
        key=f"link-{link.pk}-{link.attempts}",
    )
    mail.deliver(message)
    link.finish(user=user, code_hash=hashed(code), expires_at=Now() + lifetime)


def _is_wanted(link: AccountLink, user: User) -> bool:
    return user.is_active and not (link.purpose == Purpose.VERIFY_EMAIL and user.email_verified)


def hashed(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def find_link(*, code: str, purposes: list[Purpose], lock: bool = False) -> tuple[AccountLink, User]:
    """The good link of ``code``, and whose it is. Raises InvalidCode or ExpiredCode."""
    links = AccountLink.objects.select_for_update(of=("self",)) if lock else AccountLink.objects.all()
    link = (
        links.select_related("user")
        .annotate(is_over=ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField()))
        .filter(code_hash=hashed(code), purpose__in=purposes)
        .first()
    )
    if link is None or link.user is None or not link.user.is_active:
        raise InvalidCode
    moved = link.purpose != Purpose.CHANGE_EMAIL and link.email != link.user.email_lower
    if link.spent_at is not None or link.is_over or moved:
        raise ExpiredCode
    return link, link.user


def use_link(*, code: str, purposes: list[Purpose]) -> tuple[AccountLink, User]:
    """Spend the good link of ``code``, within the transaction of what it allows. Raises InvalidCode or ExpiredCode."""
    _, user = find_link(code=code, purposes=purposes)
    # The person before the link, as whoever changes a password locks them: else two requests could wait for each other.
    if User.objects.select_for_update(no_key=True).filter(pk=user.pk).first() is None:
        raise InvalidCode
    link, user = find_link(code=code, purposes=purposes, lock=True)
    AccountLink.objects.filter(pk=link.pk).update(spent_at=Now())
    return link, user
