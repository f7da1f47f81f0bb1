"""A note with an owner, an editor, a viewer and a stranger, each with a client."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from notes.models import Note, Role
from tests.conftest import Client
from tests.factories import UserFactory

from .factories import make_note, share

Titles = Callable[[Any], list[str]]


@pytest.fixture
def note(user: User) -> Note:
    """A note that only ``user`` sees."""
    return make_note(user)


@pytest.fixture
def path(note: Note) -> str:
    return f"/api/v1/notes/{note.pk}/"


@pytest.fixture
def owner(signed_in: Client) -> Client:
    return signed_in


@pytest.fixture
def editor_user(note: Note) -> User:
    user = UserFactory()
    share(note, user, Role.EDITOR)
    return user


@pytest.fixture
def viewer_user(note: Note) -> User:
    user = UserFactory()
    share(note, user, Role.VIEWER)
    return user


@pytest.fixture
def editor(api: Client, editor_user: User) -> Client:
    return api.as_user(editor_user)


@pytest.fixture
def viewer(api: Client, viewer_user: User) -> Client:
    return api.as_user(viewer_user)


@pytest.fixture
def stranger(api: Client) -> Client:
    return api.as_user(UserFactory())


@pytest.fixture
def titles() -> Titles:
    """Return a function that lists the titles of a response."""
    return lambda response: [note["title"] for note in response.json()["results"]]
