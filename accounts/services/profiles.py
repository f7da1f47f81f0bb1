"""What people say of themselves, and how they look."""

from collections.abc import Mapping
from typing import IO, Any

from django.core.files.base import ContentFile
from django.db import transaction

from config import presence, storage

from ..images import small_picture
from ..models import User, UserProfile


def profile_of(user: User) -> UserProfile:
    profile = UserProfile.objects.get(user=user)
    profile.user = user
    return profile


def update_profile(
    *, user: User, names: Mapping[str, str] | None = None, picture: IO[bytes] | None = None, **fields: Any
) -> UserProfile:
    """Set ``names`` of the user, ``fields`` of the profile and its ``picture``, those that are given.

    Raises images.BadImage, before anything is set.
    """
    key = _store(picture) if picture is not None else None
    with transaction.atomic():
        if names:
            User.objects.filter(pk=user.pk).update(**names)
            for name, value in names.items():
                setattr(user, name, value)
        if fields:
            UserProfile.objects.filter(user=user).update(**fields)
        if key is not None:
            storage.keep(key)
            _replace_picture(user, key)
    return profile_of(user)


@transaction.atomic
def remove_picture(*, user: User) -> None:
    """Take the picture away; no error where there is none."""
    _replace_picture(user, "")


def _store(picture: IO[bytes]) -> str:
    small = ContentFile(small_picture(picture))
    key = storage.provisional_key("pictures", ".webp")
    storage.save(key, small)
    return key


def _replace_picture(user: User, key: str) -> None:
    """Point to the picture ``key`` and have the one before it removed."""
    profile = UserProfile.objects.select_for_update().get(user=user)
    before = profile.image.name
    UserProfile.objects.filter(user=user).update(image=key)
    presence.card_changed(user.pk)
    if before:
        storage.discard(before)
