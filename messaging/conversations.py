"""The list of conversations: everybody with whom a user has exchanged messages."""

from typing import Any

from django.db.models import Count

from accounts.models import User

from . import sql
from .cards import load_cards
from .models import MessageRecipient


def conversations_of(user: User, *, before: int | None = None, page_size: int = 50) -> dict[str, Any]:
    """Return a page of conversations, newest first, and ``next_before`` (null on the last page).

    The page contains the conversations whose last message has an id below ``before``.
    """
    page, has_more = sql.last_messages(user, before=before, limit=page_size)
    cards = load_cards(each.peer_id for each in page)
    unread = dict(
        MessageRecipient.objects.unread_by(user)
        .filter(sender__in=list(cards))
        .values_list("sender")
        .annotate(count=Count("pk"))
    )
    return {
        "next_before": page[-1].id if has_more else None,
        "results": [
            {"person": cards[each.peer_id], "last_message": each, "unread": unread.get(each.peer_id, 0)}
            for each in page
            if each.peer_id in cards
        ],
    }
