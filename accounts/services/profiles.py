"""What people say of themselves."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from ..models import User, UserProfile


def profile_of(user: User) -> UserProfile:
    profile = UserProfile.objects.get(user=user)
    profile.user = user
    return profile


@transaction.atomic
def update_profile(*, user: User, names: Mapping[str, str], **fields: Any) -> UserProfile:
    """Set ``names`` of the user and ``fields`` of the profile, those that are given."""
    if names:
        User.objects.filter(pk=user.pk).update(**names)
        for name, value in names.items():
            setattr(user, name, value)
    if fields:
        UserProfile.objects.filter(user=user).update(**fields)
    return profile_of(user)
