"""Fixtures of the tests that cover every route."""

from typing import Any

import pytest

from ..conftest import Client
from ..factories import UserFactory


@pytest.fixture
def admin(api: Client, settings: Any) -> Client:
    """A client with all permissions, so that none hides the effect of the input; with a fast password hasher."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return api.as_user(UserFactory(is_staff=True, is_superuser=True))
