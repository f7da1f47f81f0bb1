"""What trends hold of a person: the imports they have started."""

from typing import Any

from accounts.models import User

from .models import ImportRun

SHOWN = ("id", "name", "origin", "status", "size", "total_rows", "created", "duplicates", "rejected", "created_at")


def held_of(user: User) -> dict[str, Any]:
    """The user's part of ``GET auth/export/``."""
    return {"imports": list(ImportRun.objects.filter(uploaded_by=user).order_by("id").values(*SHOWN))}
