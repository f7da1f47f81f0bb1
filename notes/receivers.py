"""Signal receivers: what changes for notes when users and imports change."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from accounts.models import User
from config import storage
from config.cache import generations

from .models import Membership, Note, NoteImport
from .services.events import cache_scope


@receiver(post_save, sender=User, dispatch_uid="notes.invalidate_after_rename")
def invalidate_after_rename(
    instance: User, created: bool, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """Invalidate cached notes that contain a username that may have changed."""
    if not created and not raw and (update_fields is None or "username" in update_fields):
        generations.invalidate(*map(cache_scope, _members_of_shared_notes(instance)))


@receiver(pre_delete, sender=User, dispatch_uid="notes.lock_notes_of_deleted_user")
def lock_notes_of_deleted_user(instance: Any, **_: Any) -> None:
    """Lock the user's notes first, as every write does, and remember who else sees them."""
    list(Note.objects.filter(memberships__user=instance).for_writing().values_list("pk", flat=True))
    instance.shared_with = _members_of_shared_notes(instance) - {instance.pk}


@receiver(post_delete, sender=User, dispatch_uid="notes.invalidate_after_deletion")
def invalidate_after_deletion(instance: Any, **_: Any) -> None:
    """Invalidate the lists of everybody who shared a note with the deleted user.

    This runs at the end of the deletion: a concurrent write locks notes first and generations last, and the same order
    here avoids a deadlock.
    """
    generations.invalidate(*map(cache_scope, instance.shared_with))
    generations.delete_after_commit(cache_scope(instance.pk))


@receiver(post_delete, sender=NoteImport, dispatch_uid="notes.discard_archive")
def discard_archive(instance: NoteImport, **_: Any) -> None:
    """Remove the archive of an import that is deleted before it ended; an ended import has none."""
    if instance.done_at is None and instance.failed_at is None:
        storage.discard(instance.file)


def _members_of_shared_notes(user: User) -> set[int]:
    """Return the ids of everybody who sees a note that names ``user``, also where the membership is withheld."""
    shared = Membership.objects.filter(user=user).values("note")
    return set(Membership.objects.filter(note__in=shared).values_list("user_id", flat=True))
