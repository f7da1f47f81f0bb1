"""What happens to messages and presence when an account changes."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from accounts.models import User
from config.realtime import presence

from . import sql


@receiver(post_save, sender=User, dispatch_uid="messaging.invalidate_card")
def invalidate_card(instance: User, created: bool, **_: Any) -> None:
    """Remove a user's card from Redis when they are saved; the next request stores the new one."""
    if not created:
        presence.invalidate_card(instance.pk)


@receiver(post_delete, sender=User, dispatch_uid="messaging.remove_presence")
def remove_presence(instance: User, **_: Any) -> None:
    """Show a deleted account as online no longer."""
    presence.remove(instance.pk)


@receiver(pre_delete, sender=User, dispatch_uid="messaging.clear_sender")
def clear_sender(instance: User, **_: Any) -> None:
    """Keep the messages of a deleted account, without a sender."""
    sql.clear_sender(instance.pk)
