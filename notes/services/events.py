"""The end of every write: send events to everybody who sees the notes and invalidate what is cached."""

from collections.abc import Collection, Iterable

from accounts.models import User
from config.cache import generations
from config.models import OutgoingEvent
from config.realtime import events
from config.webhooks import publishing as webhooks

from ..models import Membership

MAX_NOTES = 50  # of one change, each with its own event; after a larger change clients get a resync


def notify_members(
    *, by: User | None, note_ids: Collection[int], action: str, former: Iterable[tuple[int, int]] = ()
) -> None:
    """Invalidate the cache of everybody who sees the notes, and send all of them an event.

    ``by`` gets it, too: for the other devices of the same user. ``by`` is None for the system.
    ``former`` are pairs of note and user who could see it until now.
    """
    pairs = {*note_members(note_ids), *former}
    recipients: dict[int, list[int]] = {}
    for note_id, user_id in pairs:
        recipients.setdefault(note_id, []).append(user_id)
    user_ids = {user_id for _, user_id in pairs} | ({by.pk} if by else set())
    if len(recipients) > MAX_NOTES:
        events.publish(user_ids, "resync", {})
    else:
        events.publish_all([note_event(ids, note_id=pk, action=action, by=by) for pk, ids in recipients.items()])
    webhooks.publish_pairs(pairs, "note", f"note.{action}")
    generations.invalidate(*map(cache_scope, user_ids))


def notify_about_member(*, by: User, membership: Membership, action: str) -> None:
    """Send ``action`` (``shared`` or ``revoked``) to the member and ``changed`` to everybody else who sees the note.

    A member whose membership is withheld gets no event.
    """
    user_ids, member = {user_id for _, user_id in note_members([membership.note_id])}, {membership.user_id}
    recipients = {"changed": user_ids - member, action: set() if membership.withheld else member}
    events.publish_all(
        [note_event(ids, note_id=membership.note_id, action=name, by=by) for name, ids in recipients.items() if ids]
    )
    data = {"id": membership.note_id}
    webhooks.publish(user_ids - member, "note", "note.changed", data)
    webhooks.publish(set() if membership.withheld else member, "note", f"note.{action}", data)
    generations.invalidate(*map(cache_scope, user_ids | member | {by.pk}))


def notify_user(user: User, note_ids: Collection[int], *, by: User | None = None) -> None:
    """Invalidate what is cached for ``user`` and send an event, after a change that nobody else sees."""
    if len(note_ids) > MAX_NOTES:
        events.publish([user.pk], "resync", {})
    else:
        events.publish_all([note_event([user.pk], note_id=pk, action="changed", by=by) for pk in sorted(set(note_ids))])
    invalidate_user(user)


def note_members(note_ids: Collection[int]) -> set[tuple[int, int]]:
    """Return pairs of note and user who sees it."""
    return set(Membership.objects.filter(note_id__in=note_ids, withheld=False).values_list("note_id", "user_id"))


def note_event(user_ids: Iterable[int], *, note_id: int, action: str, by: User | None) -> OutgoingEvent:
    """Return the event ``note`` with the data ``{id, action, by}``; ``by`` is a usercode, or null for the system."""
    return events.row(user_ids, "note", {"id": note_id, "action": action, "by": by.usercode if by else None})


def invalidate_user(user: User) -> None:
    """Invalidate what is cached for ``user`` alone, after a change that nobody else sees."""
    generations.invalidate(cache_scope(user.pk))


def cache_scope(user_id: int) -> str:
    """Return the scope of everything cached of this user's notes and labels."""
    return f"notes:{user_id}"
