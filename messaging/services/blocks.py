"""Blocking people."""

from django.db import transaction
from rest_framework.exceptions import ValidationError

from accounts.models import Block, User
from config.cache.redis import guarded
from config.realtime import events, presence


class CannotBlockSelf(ValidationError):
    default_detail = "You cannot block yourself."
    default_code = "cannot_block_self"


@transaction.atomic
def block(*, blocker: User, blocked: User) -> tuple[Block, bool]:
    """Stop messages from ``blocked``, who is not notified; returns the block and whether it is new.

    Raises CannotBlockSelf.
    """
    if blocker == blocked:
        raise CannotBlockSelf
    found, created = Block.objects.get_or_create(blocker=blocker, blocked=blocked)
    if created:
        _update_hidden(blocked)
    return found, created


@transaction.atomic
def unblock(*, blocker: User, blocked: User) -> None:
    """Remove a block. Messages withheld while it lasted stay withheld."""
    if Block.objects.filter(blocker=blocker, blocked=blocked).delete()[0]:
        _update_hidden(blocked)


def blocker_ids(user_id: int) -> list[int]:
    """Return the ids of the users who block ``user_id``."""
    return list(Block.objects.filter(blocked_id=user_id).values_list("blocker_id", flat=True))


def _update_hidden(user: User) -> None:
    """After the commit, update in Redis and in the open streams of ``user`` whom they do not see online."""

    def store() -> None:
        presence.cache_hidden(user.pk, blocker_ids(user.pk))

    transaction.on_commit(lambda: guarded(store))
    events.notify_processes("hidden", f"{user.pk} {' '.join(map(str, blocker_ids(user.pk)))}")
