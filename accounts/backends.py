"""The authentication backend: e-mail address or username, and a password."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from .hashers import password_matches
from .models import User

# Longer passwords are refused before hashing, so that nobody can make the server hash megabytes.
MAX_PASSWORD_LENGTH = 128

BACKEND = "accounts.backends.EmailOrUsernameBackend"


class EmailOrUsernameBackend(ModelBackend):
    """Authenticates by e-mail address or username. An unknown account takes as long as a wrong password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        login = username if username is not None else kwargs.get(User.USERNAME_FIELD)
        if not isinstance(login, str) or not isinstance(password, str) or "\x00" in login:
            return None
        user = User.objects.by_login(login).first()
        password = password[: MAX_PASSWORD_LENGTH + 1]
        if user is None:
            password_matches(password, None)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None
