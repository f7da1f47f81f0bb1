"""What follows for messages from what happens to people."""

from typing import Any

from django.db import connection
from django.db.models.signals import post_delete, post_save, pre_delete

from accounts.models import User
from config import presence


def connect() -> None:
    post_save.connect(forget_card, sender=User, dispatch_uid="messaging.user_card")
    post_delete.connect(leave, sender=User, dispatch_uid="messaging.user_gone")
    pre_delete.connect(take_the_name_off, sender=User, dispatch_uid="messaging.sender_left")


def forget_card(instance: User, created: bool, **_: Any) -> None:
    """Have what Redis shows of somebody made anew when they are saved, as in the admin."""
    if not created:
        presence.card_changed(instance.pk)


def leave(instance: User, **_: Any) -> None:
    """Nobody is online any more whose account is gone."""
    presence.leave(instance.pk)


def take_the_name_off(instance: User, **_: Any) -> None:
    """What somebody sent stays when they leave, and so do its receipts, as those of a sender who is no more.

    The account and the messages are held first, so that nothing is sent in this name any more and a fan-out that is
    making its receipts has made them. They are found by their messages: no index of receipts begins with the sender.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE", [instance.pk])
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM messaging_message WHERE sender_id = %s FOR NO KEY UPDATE) held",
            [instance.pk],
        )
        cursor.execute(
            "UPDATE messaging_messagerecipient SET sender_id = NULL "
            "WHERE message_id IN (SELECT id FROM messaging_message WHERE sender_id = %s)",
            [instance.pk],
        )
