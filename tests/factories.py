"""The factory of users. The factories of other rows are in the folder of their app."""

import factory
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from factory.django import DjangoModelFactory

from accounts.models import User

PASSWORD = "correct horse battery staple"
_hashes: dict[tuple[str, str], str] = {}


def hashed(password: str) -> str:
    """Return a hash of ``password``, computed once in a test run because Argon2 is slow."""
    key = (settings.PASSWORD_HASHERS[0], password)  # some tests choose a faster hasher
    if key not in _hashes:
        _hashes[key] = make_password(password)
    return _hashes[key]


class UserFactory(DjangoModelFactory):
    """A user with a confirmed address; the password is ``PASSWORD``."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda person: f"{person.username}@example.org")
    password = factory.LazyFunction(lambda: hashed(PASSWORD))
    email_verified_at = Now()
