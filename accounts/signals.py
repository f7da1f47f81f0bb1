"""What follows from a user being saved, wherever it was saved: API, admin, command line."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import User, UserProfile


@receiver(post_save, sender=User, dispatch_uid="accounts.make_profile")
def make_profile(instance: User, created: bool, raw: bool, **_: Any) -> None:
    if created and not raw:
        UserProfile.objects.create(user=instance)
