"""Who has a second factor, who must have one, and with what it can be confirmed. API, pages and admin ask here."""

from django.conf import settings

from ..models import Passkey, RecoveryCode, Totp, User
from . import webauthn


def is_required(user: User) -> bool:
    """Return whether ``MFA_REQUIRED`` demands a second factor of ``user``."""
    if settings.MFA_REQUIRED == "staff":
        return user.is_staff or user.is_superuser
    return settings.MFA_REQUIRED == "all"


def has_factor(user: User) -> bool:
    """Return whether ``user`` has a confirmed authenticator app or a passkey. Read from their rows."""
    app = Totp.objects.filter(user=user).exclude(secret="").values("user_id")  # noqa: S106  no secret: a filter
    return app.union(Passkey.objects.filter(user=user).values("user_id"), all=True).exists()


def must_set_up(user: User) -> bool:
    """Return whether ``user`` must set up a second factor before anything else.

    A query is needed only if ``user.mfa_enabled`` says so: the flag of a row that was saved as a whole may be old.
    """
    return is_required(user) and not user.mfa_enabled and not has_factor(user)


def methods(user: User) -> list[str]:
    """Return how ``user`` can confirm a sign-in: ``totp``, ``passkey``, ``recovery_code``; empty without a factor."""
    if not has_factor(user):
        return []
    found = {
        "totp": Totp.objects.filter(user=user).exclude(secret="").exists(),  # noqa: S106
        "passkey": webauthn.relying_party() is not None and Passkey.objects.filter(user=user).exists(),
        "recovery_code": RecoveryCode.objects.filter(user=user, used_at=None).exists(),
    }
    return [name for name, is_available in found.items() if is_available]
