"""What tests of accounts do over and over."""

from typing import Any

from django.db.models.functions import Now

from accounts.models import AccountLink, User
from accounts.services import links

from ..factories import PASSWORD
from . import mails

AUTH = "/api/v1/auth/"


def codes(answer: Any) -> list[tuple[str, str | None]]:
    """The errors of an answer, as pairs of code and field."""
    return [(error["code"], error["attr"]) for error in answer.json()["errors"]]


def log_in(api: Any, user: User, password: str = PASSWORD, **client: str) -> dict[str, Any]:
    answer = api.post(f"{AUTH}login/", {"email": user.email, "password": password}, **client)
    assert answer.status_code == 200, answer.content
    return answer.json()


def bearer(access: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {access}"}


def mailed_code(smtp: Any, address: str) -> str:
    """Send what is due and return the code of the last link mailed to ``address``."""
    mails.send_all()
    return [code for message in smtp.to(address) if (code := mails.code_in(message))][-1]


def link_for(user: User, purpose: str = "verify_email", code: str = "a-code-of-22-characters", **fields: Any) -> str:
    """A mailed link of ``user``, made without mail; returns its code."""
    given = {"email": user.email.lower(), "expires_at": Now() + links.LIFETIME[links.Purpose(purpose)]}
    AccountLink.objects.create(
        user=user, purpose=purpose, code_hash=links.hashed(code), done_at=Now(), **{**given, **fields}
    )
    return code
