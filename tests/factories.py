"""People to test with. Each app's own rows are made by the factories in its own folder."""

import factory
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from factory.django import DjangoModelFactory

from accounts.models import User

PASSWORD = "correct horse battery staple"
_hashes: dict[tuple[str, str], str] = {}


def hashed(password: str) -> str:
    """Argon2 is slow on purpose: one hash a password is enough for all the people of a test run."""
    known = (settings.PASSWORD_HASHERS[0], password)  # some tests choose a quicker hasher for themselves
    if known not in _hashes:
        _hashes[known] = make_password(password)
    return _hashes[known]


class UserFactory(DjangoModelFactory):
    """A person with a verified address; the password is ``PASSWORD``."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda person: f"{person.username}@example.org")
    password = factory.LazyFunction(lambda: hashed(PASSWORD))
    email_verified_at = Now()
