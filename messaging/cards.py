"""Cards: what others see of a user."""

import hashlib
from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from accounts.models import User

Card = dict[str, Any]  # usercode, username, image (a path or null); Redis holds it as JSON for everybody online


def user_card(usercode: str, username: str, image: str | None) -> Card:
    """Build a card; ``image`` is the picture's key in the storage."""
    return {"usercode": usercode, "username": username, "image": _picture_url(usercode, image)}


def _picture_url(usercode: str, image: str | None) -> str | None:
    """Return the picture's path. It changes with the picture, so browsers can cache it."""
    if not image:
        return None
    return f"{reverse('person-picture', args=[usercode])}?v={hashlib.sha256(image.encode()).hexdigest()[:10]}"


def load_cards(user_ids: Iterable[int]) -> dict[int, Card]:
    """Load the cards of active users."""
    rows = User.objects.filter(pk__in=list(user_ids), is_active=True).values_list(
        "pk", "usercode", "username", "profile__image"
    )
    return {pk: user_card(usercode, username, image) for pk, usercode, username, image in rows}
