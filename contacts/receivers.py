"""Reactions to the deletion of uploads and accounts."""

from typing import Any

from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from accounts.models import User
from config import storage
from config.cache import generations

from .models import FileMetadata, UnprocessedContact
from .services.notifications import cache_scope
from .services.release import delete_waiting
from .services.window import lock_window


@receiver(pre_delete, sender=User, dispatch_uid="contacts.delete_waiting")
def delete_waiting_of_deleted_user(instance: User, **_: Any) -> None:
    """Keep workers from storing rows of a user while the user is deleted, and free the slots of the waiting rows.

    Every transaction takes the window's lock before it locks rows of this app, so none of them can deadlock.
    """
    lock_window()
    delete_waiting(UnprocessedContact.objects.filter(owner=instance))


@receiver(post_delete, sender=User, dispatch_uid="contacts.delete_generations")
def delete_generations(instance: Any, **_: Any) -> None:
    """Delete the rows that said which cached answers of the user are current."""
    generations.delete_after_commit(cache_scope(instance.pk))


@receiver(post_delete, sender=FileMetadata, dispatch_uid="contacts.discard_file")
def discard_file(instance: FileMetadata, **_: Any) -> None:
    """Remove the original file of a deleted upload, if the upload still had it."""
    if instance.deleted_at is None:
        storage.discard(instance.key)
