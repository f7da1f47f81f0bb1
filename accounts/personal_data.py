"""The data export: everything that Atrium stores about a user. Each app contributes its part.

An app calls ``personal_data.register("notes", personal_data)`` in ``AppConfig.ready``. The function takes a user and
returns JSON-compatible data about that user's rows (datetimes and UUIDs are allowed); the name becomes a key.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.utils import timezone

from config import storage
from config.audit.models import AuditRecord
from config.models import OutgoingMail

from .models import Invitation, PendingRegistration, Totp, User, UserProfile
from .representation import activity

Part = Callable[[User], Any]

_parts: dict[str, Part] = {}


def register(name: str, part: Part) -> None:
    """Add ``part(user)`` to every export under the key ``name``."""
    _parts[name] = part


def document(user: User) -> dict[str, Any]:
    """Build the export of ``user``: the time, ``account``, and one key for each registered app."""
    return {
        "exported_at": timezone.now(),
        "account": personal_data(user),
        **{name: part(user) for name, part in _parts.items()},
    }


def personal_data(user: User) -> dict[str, Any]:
    """Return what the accounts app stores about ``user``."""
    profile = UserProfile.objects.get(user=user)
    return {
        "username": user.username,
        "email": user.email,
        "email_verified_at": user.email_verified_at,
        "usercode": user.usercode,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "date_joined": user.date_joined,
        "last_login": user.last_login,
        "date_of_birth": profile.date_of_birth,
        "timezone": profile.timezone,
        "image": storage.signed_url(profile.image.name) if profile.image.name else None,
        "sessions": list(
            user.sessions.values(
                "id", "created_at", "last_used_at", "expires_at", "ended_at", "ip", "user_agent", "signed_in_with"
            )
        ),
        "second_factors": {
            "authenticator_app": Totp.objects.filter(user=user, created_at__isnull=False).values("created_at").first(),
            "passkeys": list(user.passkeys.values("name", "created_at", "last_used_at")),
            "recovery_codes": list(user.recovery_codes.values("created_at", "used_at")),
        },
        "mails": list(
            OutgoingMail.objects.filter(Q(user=user) | Q(to__iexact=user.email)).values(
                "to", "template", "created_at", "done_at"
            )
        ),
        "registrations": list(
            PendingRegistration.objects.by_email(user.email).values("username", "created_at", "expires_at")
        ),
        "tokens": list(
            user.personal_tokens.values(
                "id", "name", "scopes", "prefix", "created_at", "expires_at", "last_used_at", "last_used_ip"
            )
        ),
        "activity": [activity(record) for record in AuditRecord.objects.about(user)],
        "oidc_identities": list(user.oidc_identities.values("issuer", "subject", "created_at", "last_used_at")),
        "invitations": list(
            Invitation.objects.filter(Q(invited_by=user) | Q(email_lower=user.email_lower)).values(
                "email", "is_staff", "created_at", "expires_at", "used_at"
            )
        ),
        "links": list(user.links.values("purpose", "email", "created_at", "spent_at", "asked_ip", "asked_user_agent")),
    }
