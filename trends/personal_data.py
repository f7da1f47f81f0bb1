"""The trends part of the data export."""

from typing import Any

from accounts.models import User

from .models import ImportRun

FIELDS = (
    "id", "name", "origin", "status", "size", "total_rows", "created", "updated", "duplicates", "rejected",
    "created_at",
)  # fmt: skip


def personal_data(user: User) -> dict[str, Any]:
    """Return the imports that ``user`` has started."""
    return {"imports": list(ImportRun.objects.filter(uploaded_by=user).order_by("id").values(*FIELDS))}
