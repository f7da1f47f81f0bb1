"""What follows when an upload or a person is deleted."""

from typing import Any

from django.db.models.signals import post_delete, pre_delete

from accounts.models import User
from config import storage

from . import locks
from .models import FileMetadata
from .release import leave_the_lines


def connect() -> None:
    pre_delete.connect(wait_for_the_window, sender=User)
    post_delete.connect(remove_the_file, sender=FileMetadata)


def wait_for_the_window(instance: User, **_: Any) -> None:
    """No worker may store a row of theirs between the deletion of their contacts and that of their uploads.

    Everybody takes the window's lock before any row of this app, so nobody waits in a circle.
    """
    locks.take_window()
    leave_the_lines(instance.pk)


def remove_the_file(instance: FileMetadata, **_: Any) -> None:
    storage.discard(instance.key)
