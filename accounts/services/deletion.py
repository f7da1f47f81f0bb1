"""Leaving for good, and forgetting what has had its time."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from config import mail, storage
from config.models import OutgoingMail

from ..devices import Device
from ..models import AccountLink, User, UserProfile, UserSession
from ..signals import account_deleted
from .passwords import confirm_password
from .sessions import end_sessions

KEPT = timedelta(days=90)  # ended sessions tell a new device from a known one; links tell what was asked for
UNCONFIRMED = timedelta(days=7)


@transaction.atomic
def delete_account(*, user: User, password: str, device: Device) -> None:
    """Delete the caller's own account and tell them by mail. Raises passwords.WrongPassword."""
    user = User.objects.select_for_update().get(pk=user.pk)
    confirm_password(user=user, password=password, field="password")
    mail.queue(to=user.email, template="account_deleted", context={"username": user.username, **device.told()})
    remove_user(user)


@transaction.atomic
def remove_user(user: User) -> None:
    """Delete ``user`` and all that only they own; files go after the commit."""
    account_deleted.send(User, user=user)
    end_sessions(UserSession.objects.filter(user=user))
    picture = UserProfile.objects.filter(user=user).values_list("image", flat=True).first()
    if picture:
        storage.discard(picture)
    OutgoingMail.objects.filter(to__iexact=user.email).exclude(done_at=None, failed_at=None).delete()
    user.delete()


def forget_expired() -> int:
    """Delete sessions and links that were over long ago, and accounts nobody ever confirmed; returns how many rows."""
    forgotten = [
        Session.objects.filter(expire_date__lt=Now()).delete(),
        UserSession.objects.filter(Q(expires_at__lt=Now() - KEPT) | Q(ended_at__lt=Now() - KEPT)).delete(),
        AccountLink.objects.exclude(done_at=None, failed_at=None).filter(created_at__lt=Now() - KEPT).delete(),
        _never_confirmed().delete(),
    ]
    return sum(number for number, _ in forgotten)


def _never_confirmed() -> QuerySet[User]:
    """Accounts that keep a name and an address from others, though nobody has ever come in by them."""
    waiting = AccountLink.objects.filter(user=OuterRef("pk"), spent_at=None).filter(
        Q(expires_at__gt=Now()) | Q(done_at=None, failed_at=None)
    )
    return User.objects.filter(
        ~Exists(waiting),
        email_verified_at=None,
        last_login=None,
        is_staff=False,
        is_superuser=False,
        date_joined__lt=Now() - UNCONFIRMED,
    )
