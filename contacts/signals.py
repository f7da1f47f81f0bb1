"""A file goes with its row, also where an account takes its uploads along."""

from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver

from config import celery

from . import tasks
from .models import DiscardedFile, FileMetadata


@receiver(post_delete, sender=FileMetadata)
def remove_the_file(instance: FileMetadata, **_: Any) -> None:
    """In the deletion's own transaction: a crash or a storage that is away only delays it."""
    DiscardedFile.objects.create(key=instance.key)
    celery.wake(tasks.discard_files)
