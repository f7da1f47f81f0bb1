"""The HTTP request that the current thread answers, so that services need not pass it on."""

from contextvars import ContextVar, Token

from django.http import HttpRequest

_request: ContextVar[HttpRequest | None] = ContextVar("audit_request", default=None)


def bind_request(request: HttpRequest) -> Token[HttpRequest | None]:
    """Make ``request`` the current one; returns what ``unbind_request`` needs."""
    return _request.set(request)


def unbind_request(bound: Token[HttpRequest | None]) -> None:
    _request.reset(bound)


def current_request() -> HttpRequest | None:
    """Return the request that is being answered; None in a task or a command."""
    return _request.get()
