"""The four people whom every route of a note is asked by."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from notes.models import Note, Role
from tests.conftest import Client
from tests.factories import UserFactory

from .factories import make_note, share


@pytest.fixture
def note(user: User) -> Note:
    """A note of ``user`` that nobody else sees."""
    return make_note(user)


@pytest.fixture
def owner(signed_in: Client) -> Client:
    return signed_in


@pytest.fixture
def editor_user(note: Note) -> User:
    person = UserFactory()
    share(note, person, Role.EDITOR)
    return person


@pytest.fixture
def viewer_user(note: Note) -> User:
    person = UserFactory()
    share(note, person, Role.VIEWER)
    return person


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
def titles() -> Callable[[Any], list[str]]:
    """The titles of a list's answer, in its order."""
    return lambda response: [note["title"] for note in response.json()["results"]]
