from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from .models import User

# A longer one is no password: validation refuses it everywhere, and nobody hashes megabytes for a stranger.
MAX_PASSWORD_LENGTH = 128


BACKEND = "accounts.backends.EmailOrUsernameBackend"


class EmailOrUsernameBackend(ModelBackend):
    """Signs in by e-mail address or username. An unknown one costs as long as a wrong password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        login = username if username is not None else kwargs.get(User.USERNAME_FIELD)
        if not isinstance(login, str) or not isinstance(password, str) or "\x00" in login:
            return None
        user = User.objects.by_login(login.strip()).first()
        password = password[: MAX_PASSWORD_LENGTH + 1]
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None
