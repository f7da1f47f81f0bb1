"""Deleting accounts and expired rows."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from config import audit, mail, storage
from config.db.batches import delete_in_batches
from config.models import OutgoingMail
from config.realtime import events
from config.webhooks import services as webhooks

from ..devices import Device
from ..models import (
    AccountLink,
    Invitation,
    PendingRegistration,
    PersonalToken,
    User,
    UserProfile,
    UserSession,
    WrongCode,
)
from ..signals import account_deleted
from . import oidc
from .factors import answers, tickets
from .passwords import confirm_person
from .personal_tokens import revoke_tokens
from .sessions import end_sessions


@transaction.atomic
def delete_account(
    *, user: User, password: str | None = None, session: UserSession | None = None, device: Device
) -> None:
    """Delete the account of ``user`` and confirm it by mail; raises what passwords.confirm_person raises."""
    user = User.objects.select_for_update().get(pk=user.pk)
    confirm_person(user=user, password=password, session=session, field="password")
    context = {"username": user.username, **device.mail_context()}
    mail.queue(to=user.email, template="account_deleted", context=context, is_transient=True)
    remove_user(user)


@transaction.atomic
def remove_user(user: User) -> None:
    """Delete ``user`` and everything that only they own. Files are deleted after the commit."""
    audit.record("account_deleted", user=user, target=user)
    account_deleted.send(User, user=user)
    end_sessions(UserSession.objects.filter(user=user))
    webhooks.delete_webhooks_of(user)
    revoke_tokens(user=user)
    picture = UserProfile.objects.filter(user=user).values_list("image", flat=True).first()
    if picture:
        storage.discard(picture)
    OutgoingMail.objects.filter(to__iexact=user.email).exclude(done_at=None, failed_at=None).delete()
    AccessAttempt.objects.filter(username__in=[user.email_lower, user.username_lower]).delete()
    Invitation.objects.by_email(user.email).delete()
    events.erase_user(user.pk, user.usercode)
    audit.erase_user(user.pk)
    user.delete()  # e-mails to earlier addresses too: OutgoingMail.user


def delete_expired() -> int:
    """Delete old sessions and links, and expired registrations and invitations; returns the number of rows."""
    oldest = Now() - timedelta(days=settings.SIGN_IN_DAYS)
    expired: tuple[QuerySet[Any], ...] = (
        Session.objects.filter(expire_date__lt=Now()),
        UserSession.objects.filter(Q(expires_at__lt=oldest) | Q(ended_at__lt=oldest)),
        AccountLink.objects.exclude(done_at=None, failed_at=None).filter(created_at__lt=oldest),
        PendingRegistration.objects.filter(expires_at__lte=Now()),
        Invitation.objects.unused().filter(expires_at__lte=Now()),
        Invitation.objects.filter(used_at__lt=oldest),
        WrongCode.objects.filter(at__lt=Now() - answers.WINDOW),
        PersonalToken.objects.filter(expires_at__lt=oldest),
        AccessAttempt.objects.filter(attempt_time__lt=Now() - settings.AXES_COOLOFF_TIME),
    )
    return sum(map(delete_in_batches, expired)) + tickets.delete_expired() + oidc.delete_expired()
