"""People as others see them here: a code, a name, a picture."""

import hashlib
from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from accounts.models import User
from config import presence
from config.wire import instant

from . import services

Card = dict[str, Any]


def cards(user_ids: Iterable[int]) -> dict[int, Card]:
    rows = User.objects.filter(pk__in=list(user_ids), is_active=True).values_list(
        "pk", "usercode", "username", "profile__image"
    )
    return {pk: card(usercode, username, image) for pk, usercode, username, image in rows}


def card(usercode: str, username: str, image: str | None) -> Card:
    return {"usercode": usercode, "username": username, "image": picture_url(usercode, image)}


def picture_url(usercode: str, image: str | None) -> str | None:
    """Where the picture is; another address for another picture, so that browsers may keep it."""
    if not image:
        return None
    return f"{reverse('person-picture', args=[usercode])}?v={hashlib.sha256(image.encode()).hexdigest()[:10]}"


def online(viewer: User) -> list[Card]:
    """Everybody whom ``viewer`` sees online, themselves too; no query but where Redis has to be filled."""
    seen = presence.online_ids()
    hidden = presence.hidden_from(viewer.pk, services.blockers_of)
    shown = presence.cards((user_id for user_id in seen if user_id not in hidden), cards)
    return [{**each, "last_seen": instant(seen[user_id])} for user_id, each in shown.items()]


def greet(user: User) -> None:
    """Somebody is about to open a stream: they are here, and the events process needs to know whom they may see."""
    presence.beat(user.pk, cards)
    presence.keep_hidden(user.pk, services.blockers_of(user.pk))


def image_of(user: User) -> str:
    """The key of a person's picture in the storage; empty where there is none."""
    return user.profile.image.name or ""
