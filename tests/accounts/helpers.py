"""Steps that several tests of accounts share."""

from typing import Any

from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.backends import BACKEND
from accounts.models import AccountLink, User
from accounts.services import links

from ..conftest import Client, Inbox
from ..factories import PASSWORD
from . import mails

AUTH = "/api/v1/auth/"
NEW_PASSWORD = "another horse battery staple"


def error_codes(response: Any) -> list[tuple[str, str | None]]:
    """Return the errors of a response as pairs of code and field."""
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def log_in(api: Client, user: User, password: str = PASSWORD, **client: str) -> dict[str, Any]:
    """Log in and return the tokens; ``client`` are headers and the address, in WSGI's names."""
    response = api.post(f"{AUTH}login/", {"email": user.email, "password": password}, **client)
    assert response.status_code == 200, response.content
    return response.json()


def cookie_client_for(user: User, **options: Any) -> DjangoClient:
    """Return a browser-like client that is signed in as ``user`` with a session cookie."""
    client = DjangoClient(**options)
    client.force_login(user, backend=BACKEND)
    return client


def bearer(access: str) -> dict[str, str]:
    """Return the header that authenticates a request with an access token."""
    return {"HTTP_AUTHORIZATION": f"Bearer {access}"}


def token_works(api: Client, tokens: dict[str, Any]) -> bool:
    """Return whether the access token of a login response is accepted."""
    return type(api)().get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 200


def mailed_code(smtp: Inbox, address: str) -> str:
    """Send the due mail and return the code of the last link mailed to ``address``."""
    mails.send_due_mail()
    return [code for message in smtp.to(address) if (code := mails.code_in(message))][-1]


def link_for(user: User, purpose: str = "verify_email", code: str = "a-code-of-22-characters", **fields: Any) -> str:
    """Create a mailed link of ``user`` without sending mail; returns its code."""
    defaults = {"email": user.email.lower(), "expires_at": Now() + links.LIFETIME[links.Purpose(purpose)]}
    AccountLink.objects.create(
        user=user, purpose=purpose, code_hash=links.hash_code(code), done_at=Now(), **{**defaults, **fields}
    )
    return code
