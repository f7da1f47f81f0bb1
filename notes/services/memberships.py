"""Pin and archive notes: private to the user, without a new version of the note."""

from collections.abc import Collection

from django.db import transaction

from accounts.models import User

from ..models import Membership
from .access import lock_notes
from .events import notify_user


@transaction.atomic
def update_memberships(
    *,
    by: User,
    note_ids: Collection[int],
    versions: Collection[int] | None = None,
    pinned: bool | None = None,
    archived: bool | None = None,
) -> None:
    """Pin, unpin, archive or unarchive the notes for ``by``; None leaves a value unchanged."""
    memberships = lock_notes(by=by, note_ids=note_ids, versions=versions)
    values = {"pinned": pinned, "archived": archived}
    changes = {name: value for name, value in values.items() if value is not None}
    Membership.objects.filter(pk__in=[membership.pk for membership in memberships]).update(**changes)
    notify_user(by, note_ids, by=by)
