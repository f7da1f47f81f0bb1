"""What follows for notes from what happens to people."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from accounts.models import User
from config import caching, storage

from .models import Membership, NoteImport


def connect() -> None:
    post_save.connect(forget_reads_that_name, sender=User, dispatch_uid="notes.people_renamed")
    pre_delete.connect(forget_reads_of_those_left, sender=User, dispatch_uid="notes.people_left")
    post_delete.connect(remove_the_archive, sender=NoteImport, dispatch_uid="notes.import_deleted")


def forget_reads_that_name(
    instance: User, created: bool, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """Notes name their owner and collaborators: a username that may have changed ends what is cached of them."""
    if not created and not raw and (update_fields is None or "username" in update_fields):
        forget_reads_around(instance)


def forget_reads_of_those_left(instance: User, **_: Any) -> None:
    """Their notes vanish from others' lists, and they from others' notes: nobody may be shown either from the cache."""
    forget_reads_around(instance)


def forget_reads_around(person: User) -> None:
    """End what is cached for everybody who shares a note with ``person``, and for ``person``."""
    shared = Membership.objects.filter(user=person).values("note")
    people = Membership.objects.filter(note__in=shared).values_list("user_id", flat=True)
    caching.bump(*caching.scopes("notes", set(people)))


def remove_the_archive(instance: NoteImport, **_: Any) -> None:
    """Of an import that goes with its person before it is read; a finished one has none any more."""
    if instance.done_at is None and instance.failed_at is None:
        storage.discard(instance.file)
