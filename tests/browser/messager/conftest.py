"""The chat page with a real events process and three users."""

import pytest
from playwright.sync_api import expect

from accounts.models import User
from tests.factories import UserFactory

expect.set_options(timeout=30_000)  # a busy machine may need longer than the default of 5 s


@pytest.fixture
def people() -> list[User]:
    return [UserFactory(username=name) for name in ("ada", "bob", "eve")]


@pytest.fixture
def ada(people: list[User]) -> User:
    return people[0]


@pytest.fixture
def bob(people: list[User]) -> User:
    return people[1]
