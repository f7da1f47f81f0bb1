"""The chat page with a real events process and three users."""

import pytest

from accounts.models import User
from tests.factories import UserFactory


@pytest.fixture
def people() -> list[User]:
    return [UserFactory(username=name) for name in ("ada", "bob", "eve")]


@pytest.fixture
def ada(people: list[User]) -> User:
    return people[0]


@pytest.fixture
def bob(people: list[User]) -> User:
    return people[1]
