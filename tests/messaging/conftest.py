from collections.abc import Callable

import pytest

from ..conftest import Client
from ..factories import UserFactory
from .people import Person


@pytest.fixture
def person(api: Client) -> Callable[[str], Person]:
    """``person("ada")`` makes somebody of that name, and signs them in."""

    def make(username: str) -> Person:
        user = UserFactory(username=username)
        return Person(user, api.as_user(user))

    return make


@pytest.fixture
def ada(person: Callable) -> Person:
    return person("ada")


@pytest.fixture
def bob(person: Callable) -> Person:
    return person("bob")


@pytest.fixture
def eve(person: Callable) -> Person:
    """A stranger to what the others write each other."""
    return person("eve")
