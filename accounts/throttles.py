"""Rate limits of sign-in and of requests that send mail: for each client, and for each account that is named."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from config.api.throttles import AccountThrottle, UserThrottle
from config.client_ip import client_network, network

from .addresses import lookup_key
from .models import PendingRegistration, User, UserSession

MAX_NAME_LENGTH = 300  # no address and no username is longer; the rest is ignored


class NamedAccountThrottle(AccountThrottle):
    """Counts an account once, under its address, for every spelling and for its username.

    A client that was signed in to the account before has its own count when that of the account is used up. Otherwise
    a stranger with many addresses could lock the owner out.
    """

    def allow(self, request: Any, named: str | None) -> bool:
        return super().allow(request, account_key(named) if named else named)

    def is_known(self, request: Any, named: str) -> bool:
        user = User.objects.filter(email_lower=named).first()
        addresses = UserSession.objects.filter(user=user).values_list("ip", flat=True)[:200]
        if user is None or client_network(request) not in {network(ip) for ip in addresses if ip is not None}:
            return False
        return self.count(self.counter("device", named, client_network(request)))


class LoginThrottle(NamedAccountThrottle):
    """Limits password guesses at the API, on the login page, and on the login page of the admin."""

    scope = "LOGIN"
    fields = ("email", "username")


def account_key(named: str) -> str:
    """Return the key under which attempts at an account are counted: the address, or an unknown name as it is."""
    named = named[:MAX_NAME_LENGTH].strip()
    if "@" in named or "\x00" in named:
        return lookup_key(named)
    account = User.objects.by_login(named).first() or PendingRegistration.objects.by_login(named).active().first()
    return account.email_lower if account else named.lower()


def axes_username(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the name under which django-axes counts: all spellings of an account are one (AXES_USERNAME_CALLABLE)."""
    return account_key((credentials or request.POST).get("username") or "")


class RegisterThrottle(NamedAccountThrottle):
    scope = "REGISTER"

    def is_known(self, request: Any, named: str) -> bool:
        return False  # a registration must not reveal whether its address has an account


class MailThrottle(NamedAccountThrottle):
    """Limits requests that send a mail to an address which the request names."""

    scope = "MAIL"


class ConfirmationThrottle(UserThrottle):
    """Limits requests of signed-in users that ask for the password: a stolen token must not allow guessing it."""

    scope = "LOGIN"


class SecondStepThrottle(AccountThrottle):
    """Limits the second step of sign-ins for each client, together with its passwords.

    Wrong codes of an account are counted in Postgres (services.factors.answers).
    """

    scope = "LOGIN"
    fields = ()
