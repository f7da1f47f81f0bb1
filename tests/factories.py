"""People to test with. Each app's own rows are made by the factories in its own folder."""

import factory
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from factory.django import DjangoModelFactory

from accounts.models import User

PASSWORD = "correct horse battery staple"
_hashes: dict[str, str] = {}


def hashed(password: str) -> str:
    """Argon2 is slow on purpose: one hash a password is enough for all the people of a test run."""
    return _hashes.setdefault(password, make_password(password))


class UserFactory(DjangoModelFactory):
    """A person with a verified address; the password is ``PASSWORD``."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda person: f"{person.username}@example.org")
    password = factory.LazyFunction(lambda: hashed(PASSWORD))
    email_verified_at = Now()
