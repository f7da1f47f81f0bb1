"""Who may try how often: each client, and each account that is named, whoever names it."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from config.clients import client_network, network
from config.throttling import AccountThrottle, UserThrottle

from .addresses import comparable
from .models import User, UserSession

LONGEST = 300  # characters that are looked at; no address and no username has as many


class NamedThrottle(AccountThrottle):
    """Counts an address in the form in which it is looked up: spelled in another way it is the same account."""

    def allow(self, request: Any, named: str | None) -> bool:
        return super().allow(request, comparable(named[:LONGEST]) if named else named)


class LoginThrottle(NamedThrottle):
    """Guessing is slowed for a client, and for an account guessed at from many places at once.

    A place from which the account was signed in before is left out of the latter: whoever guesses does not lock its
    owner out, however many addresses the guesses come from.
    """

    scope = "LOGIN"
    fields = ("email", "username")

    def is_known(self, request: Any, named: str) -> bool:
        user = User.objects.by_login(named).first() if "\x00" not in named else None
        places = UserSession.objects.filter(user=user).values_list("ip", flat=True)[:200]
        return user is not None and client_network(request) in {network(ip) for ip in places if ip is not None}


def name_at_the_admins_door(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Under which name django-axes counts: an account spelled in another way must not have a count of its own."""
    named = (credentials or request.POST).get("username") or ""
    return comparable(named[:LONGEST])


class RegisterThrottle(NamedThrottle):
    scope = "REGISTER"


class MailThrottle(NamedThrottle):
    """For whatever sends a mail to an address that the request names."""

    scope = "MAIL"


class ConfirmationThrottle(UserThrottle):
    """For what asks somebody signed in for the password: a stolen token is no licence to guess it."""

    scope = "LOGIN"
