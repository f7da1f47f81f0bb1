"""Mailed links: a request creates the row, the worker generates the code and sends the mail, the code works once."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from config import mail
from config.db import locks
from config.jobs import runner
from config.jobs.enqueue import enqueue

from ..addresses import lookup_key
from ..devices import Device
from ..models import AccountLink, PendingRegistration, User

Purpose = AccountLink.Purpose

LIFETIME = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}
PAGE = {Purpose.VERIFY_EMAIL: "v", Purpose.CHANGE_EMAIL: "v", Purpose.RESET_PASSWORD: "r"}
CODE_BYTES = 16  # 128 bits; 22 characters in a URL
MAX_RESENT = 10  # newest registrations of an address that get a new link at once


class InvalidCode(ValidationError):
    """No link of this purpose has the code."""

    def __init__(self) -> None:
        super().__init__({"token": ["This link is invalid. Request a new one."]}, "invalid_token")


class ExpiredCode(ValidationError):
    """The link was valid once, but has expired, was used, or was revoked."""

    def __init__(self) -> None:
        super().__init__({"token": ["This link was already used or has expired. Request a new one."]}, "expired_token")


@transaction.atomic
def request_link(
    *,
    purpose: Purpose,
    email: str,
    device: Device,
    user: User | None = None,
    registration: PendingRegistration | None = None,
) -> AccountLink:
    """Queue a link to ``email``.

    Without ``user`` and ``registration`` the worker looks the account up, so that this takes the same time for an
    unknown address. Earlier links stay valid until one is used: otherwise a stranger could revoke them at any time.
    """
    link = AccountLink.objects.create(
        purpose=purpose,
        user=user,
        registration=registration,
        email=email if purpose == Purpose.CHANGE_EMAIL else lookup_key(email),
        asked_ip=device.ip,
        asked_user_agent=device.user_agent,
    )
    enqueue(AccountLink)
    return link


def lock_address(email: str) -> None:
    """Wait for other transactions that create an account for ``email`` or change an account to it."""
    locks.lock(f"address:{lookup_key(email)}")


def revoke_links(*, purposes: list[Purpose], user: User) -> None:
    """Revoke the links of ``user``, and those requested for the user's address that are not sent yet."""
    unsent = Q(email=user.email_lower, user=None, registration=None)
    AccountLink.objects.filter(Q(user=user) | unsent, purpose__in=purposes, spent_at=None).update(spent_at=Now())


def send_due_links(limit: int = 100) -> int:
    """Mail the links that are due; returns how many rows are done."""
    return runner.run_due(AccountLink.objects.all(), _send, limit=limit)


def _send(link: AccountLink) -> None:
    """Mail one link, or a notice if its address belongs to another account; a link that nobody needs is deleted."""
    owner = User.objects.by_email(link.email).first()
    if link.spent_at is not None:
        link.finish()
    elif link.purpose == Purpose.VERIFY_EMAIL and link.user is None and (link.registration or owner is None):
        _send_registration_link(link, owner)
    elif link.purpose == Purpose.CHANGE_EMAIL and owner not in (None, link.user):
        _send_notice(link, owner)
    else:
        link.user = user = link.user or owner
        needed = link.purpose != Purpose.VERIFY_EMAIL or not (user and user.email_verified)
        if user and user.is_active and needed:
            _mail(link)
        else:
            link.delete()  # unknown addresses are not stored


def _send_registration_link(link: AccountLink, owner: User | None) -> None:
    registrations = PendingRegistration.objects.by_email(link.email).confirmable()
    if link.registration is None:  # requested again: each registration of the address gets a link of its own
        device = Device(link.asked_ip, link.asked_user_agent)
        for registration in registrations[:MAX_RESENT]:
            request_link(purpose=Purpose.VERIFY_EMAIL, email=link.email, device=device, registration=registration)
        link.delete()
    elif owner is not None:
        _send_notice(link, owner)
    elif registrations.filter(pk=link.registration.pk).exists():
        _mail(link)
    else:
        link.delete()


def _send_notice(link: AccountLink, owner: User) -> None:
    """Tell the owner of an address that somebody tried to use it."""
    device = Device(link.asked_ip, link.asked_user_agent).mail_context(at=link.created_at)
    context = {"username": owner.username, **device}
    mail.queue(to=owner.email, template="account_exists", context=context, user=owner)
    link.delete()


def _mail(link: AccountLink) -> None:
    """Generate a code and mail the link.

    The hash of the code is committed after the mail is sent. If the worker crashes in between, the mailed link is
    invalid and the next attempt sends another one: one mail too many, but never none.
    """
    code = secrets.token_urlsafe(CODE_BYTES)
    purpose = Purpose(link.purpose)
    message = mail.compose(
        to=link.address,
        template=link.purpose,
        context={
            "username": link.account.username,
            "email": link.address,
            "url": f"{settings.PUBLIC_URL}/{PAGE[purpose]}/{code}/",
            "hours": LIFETIME[purpose] // timedelta(hours=1),
            **Device(link.asked_ip, link.asked_user_agent).mail_context(at=link.created_at),
        },
        key=f"link-{link.pk}-{link.attempts}",
    )
    mail.deliver(message)
    link.finish(user=link.user, code_hash=hash_code(code), expires_at=Now() + LIFETIME[purpose])


def hash_code(code: str) -> str:
    """Return the hash under which ``code`` is stored: SHA-256 in hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def find_link(*, code: str, purposes: list[Purpose], lock: bool = False) -> AccountLink:
    """Return the valid link of ``code``; raises InvalidCode or ExpiredCode."""
    links = AccountLink.objects.select_for_update(of=("self",)) if lock else AccountLink.objects.all()
    link = (
        links.select_related("user", "registration")
        .annotate(
            is_expired=ExpressionWrapper(
                Q(expires_at__lte=Now())
                | Q(registration__expires_at__lte=Now())
                | Q(registration__voided_at__isnull=False),
                output_field=BooleanField(),
            )
        )
        .filter(code_hash=hash_code(code), purpose__in=purposes)
        .first()
    )
    if link is None or (link.user is None and link.registration is None) or (link.user and not link.user.is_active):
        raise InvalidCode
    address_changed = link.purpose != Purpose.CHANGE_EMAIL and link.user and link.email != link.user.email_lower
    if link.spent_at is not None or link.is_expired or address_changed:
        raise ExpiredCode
    return link


def use_link(*, code: str, purposes: list[Purpose]) -> AccountLink:
    """Mark the valid link of ``code`` as used, in the caller's transaction; raises InvalidCode or ExpiredCode.

    The user or the address is locked before the link, in the order of a password change, so that two requests cannot
    deadlock.
    """
    account = find_link(code=code, purposes=purposes).account
    if isinstance(account, PendingRegistration):
        lock_address(account.email)
    elif User.objects.select_for_update(no_key=True).filter(pk=account.pk).first() is None:
        raise InvalidCode
    link = find_link(code=code, purposes=purposes, lock=True)
    AccountLink.objects.filter(pk=link.pk).update(spent_at=Now())
    return link
