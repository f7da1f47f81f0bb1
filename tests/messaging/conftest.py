import pytest

from ..conftest import Client
from ..factories import UserFactory
from .people import NewPerson, Person


@pytest.fixture
def person(api: Client) -> NewPerson:
    """Create users with a signed-in client: ``person("ada")``."""

    def make(username: str) -> Person:
        user = UserFactory(username=username)
        return Person(user, api.as_user(user))

    return make


@pytest.fixture
def ada(person: NewPerson) -> Person:
    return person("ada")


@pytest.fixture
def bob(person: NewPerson) -> Person:
    return person("bob")


@pytest.fixture
def eve(person: NewPerson) -> Person:
    """A user who takes no part in the others' conversations."""
    return person("eve")
