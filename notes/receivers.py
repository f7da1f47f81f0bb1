"""What follows for notes from what happens to people."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from accounts.models import User
from config import caching, storage

from .models import Membership, Note, NoteImport


def connect() -> None:
    post_save.connect(forget_reads_that_name, sender=User, dispatch_uid="notes.people_renamed")
    pre_delete.connect(take_their_notes, sender=User, dispatch_uid="notes.people_leaving")
    post_delete.connect(forget_reads_of_those_left, sender=User, dispatch_uid="notes.people_left")
    post_delete.connect(remove_the_archive, sender=NoteImport, dispatch_uid="notes.import_deleted")


def forget_reads_that_name(
    instance: User, created: bool, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """Notes name their owner and collaborators: a username that may have changed ends what is cached of them."""
    if not created and not raw and (update_fields is None or "username" in update_fields):
        caching.bump(*caching.scopes("notes", people_around(instance)))


def take_their_notes(instance: Any, **_: Any) -> None:
    """Lock what the person sees before anything of it is deleted, as every write does, and note whom it concerns."""
    list(Note.objects.visible_to(instance).for_writing().values_list("pk", flat=True))
    instance.seen_with = people_around(instance) - {instance.pk}


def forget_reads_of_those_left(instance: Any, **_: Any) -> None:
    """Their notes vanish from others' lists, and they from others' notes: nobody may be shown either from the cache.

    Only at the end of the deletion: a write that holds one of the notes ends what is cached too, and neither may wait
    for the other.
    """
    caching.bump(*caching.scopes("notes", instance.seen_with))


def people_around(person: User) -> set[int]:
    """Everybody who sees a note that ``person`` sees."""
    shared = Membership.objects.visible_to(person).values("note")
    return set(Membership.objects.filter(note__in=shared).values_list("user_id", flat=True))


def remove_the_archive(instance: NoteImport, **_: Any) -> None:
    """Of an import that goes with its person before it is read; a finished one has none any more."""
    if instance.done_at is None and instance.failed_at is None:
        storage.discard(instance.file)
