"""Calls that need a recent sign-in: a stolen session must not be enough to create lasting access."""

from datetime import timedelta

from django.db.models.functions import Coalesce, Now
from rest_framework.exceptions import PermissionDenied

from ..models import UserSession

RECENT = timedelta(minutes=15)


class ReauthenticationRequired(PermissionDenied):
    """The session's user has not proved who they are for a while."""

    default_detail = "Sign in again, because this call needs a sign-in within the last 15 minutes."
    default_code = "reauthentication_required"


def require_recent_sign_in(*, session: UserSession | None) -> None:
    """Raise ReauthenticationRequired unless the user of ``session`` signed in within ``RECENT``.

    A refresh is not a sign-in. None, of a request without a session, and a session that has ended are never recent.
    """
    recent = UserSession.objects.live().annotate(since=Coalesce("authenticated_at", "created_at"))
    if session is None or not recent.filter(pk=session.pk, since__gt=Now() - RECENT).exists():
        raise ReauthenticationRequired
