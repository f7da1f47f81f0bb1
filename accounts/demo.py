"""The users of ``manage.py demo``."""

import secrets

from django.db import transaction
from django.db.models.functions import Now

from .models import User

PEOPLE = (
    ("ann", "Ann", "Lee", True),
    ("ben", "Ben", "Okafor", False),
    ("cleo", "Cleo", "Martin", False),
    ("dina", "Dina", "Haddad", False),
    ("emil", "Emil", "Sørensen", False),
)


@transaction.atomic
def people() -> tuple[list[tuple[User, str]], bool]:
    """Create Ann, who is staff, and four others, or give them new passwords.

    Returns each user with the new password, and whether any of them was created.
    """
    accounts, created = [], False
    for username, first_name, last_name, is_staff in PEOPLE:
        user = User.objects.by_login(username).first()
        if user is None:
            user, created = User(username=username, email=f"{username}@demo.example", email_verified_at=Now()), True
        user.first_name, user.last_name, user.is_staff, user.is_superuser = first_name, last_name, is_staff, is_staff
        password = secrets.token_urlsafe(9)
        user.set_password(password)
        user.save()
        accounts.append((user, password))
    return accounts, created
