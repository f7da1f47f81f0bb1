"""All that the product holds of a person. Each app answers for its own part.

From its ``AppConfig.ready`` an app calls ``export.register("notes", notes_of)``, where ``notes_of(user)`` returns what
JSON can say of that user's rows (datetimes and UUIDs are fine). The name becomes a key of the document.
"""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from config import storage
from config.models import OutgoingMail

from .models import User, UserProfile

Part = Callable[[User], Any]

_parts: dict[str, Part] = {}


def register(name: str, part: Part) -> None:
    """Have ``part(user)`` stand under ``name`` in every export."""
    _parts[name] = part


def document(user: User) -> dict[str, Any]:
    """Everything held of ``user``, by the apps' names."""
    return {
        "exported_at": timezone.now(),
        "account": _account(user),
        **{name: part(user) for name, part in _parts.items()},
    }


def _account(user: User) -> dict[str, Any]:
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
            user.sessions.values("id", "created_at", "last_used_at", "expires_at", "ended_at", "ip", "user_agent")
        ),
        "mails": list(
            OutgoingMail.objects.filter(to__iexact=user.email).values("to", "template", "created_at", "done_at")
        ),
        "links": list(user.links.values("purpose", "email", "created_at", "spent_at", "asked_ip", "asked_user_agent")),
    }
