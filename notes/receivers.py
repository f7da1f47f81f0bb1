"""What follows for notes from what happens to people."""

from typing import Any

from django.db.models.signals import pre_delete

from accounts.models import User
from config import caching

from .models import Membership


def connect() -> None:
    pre_delete.connect(forget_reads_of_those_left, sender=User, dispatch_uid="notes.people_left")


def forget_reads_of_those_left(instance: User, **_: Any) -> None:
    """Their notes vanish from others' lists, and they from others' notes: nobody may be shown either from the cache."""
    shared = Membership.objects.filter(user=instance).values("note")
    others = Membership.objects.filter(note__in=shared).values_list("user_id", flat=True)
    caching.bump(*caching.scopes("notes", set(others)))
