"""Steps of tests with second factors."""

import time
from typing import Any, NamedTuple

import pyotp

from accounts.devices import Device
from accounts.factors import totp
from accounts.models import User
from accounts.services.factors import setup

from ..conftest import Client
from ..factories import PASSWORD
from .authenticator import Authenticator
from .helpers import AUTH

DEVICE = Device("127.0.0.1", "tests")


class App:
    """An authenticator app on a user's phone."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def code(self, steps: int = 0) -> str:
        """Return the code of now, or of a later or earlier step of 30 s."""
        return pyotp.TOTP(self.secret).generate_otp(int(time.time() // totp.PERIOD) + steps)


class Factors(NamedTuple):
    app: App
    recovery_codes: list[str]


def set_up_app(user: User) -> Factors:
    """Give ``user`` an authenticator app. Its present code is used up: the next one is ``app.code(1)``."""
    app = App(setup.start_app(user=user).secret)
    return Factors(app, setup.confirm_app(user=user, code=app.code(), device=DEVICE))


def add_passkey(user: User, name: str = "Phone", **options: Any) -> Authenticator:
    """Give ``user`` a passkey."""
    authenticator = Authenticator(**options)
    ticket, creation = setup.start_passkey(user=user)
    setup.add_passkey(
        user=user, ticket=ticket, name=name, credential=authenticator.create(creation), device=DEVICE
    )  # fmt: skip
    return authenticator


def first_step(api: Client, user: User) -> dict[str, Any]:
    """Send the right password; returns the response, which has a ticket."""
    response = api.post(f"{AUTH}login/", {"username": user.username, "password": PASSWORD})
    assert response.status_code == 200, response.content
    return response.json()


def second_step(api: Client, user: User, **answer: Any) -> Any:
    """Log in with the password and ``code`` or ``credential``; returns the response of the second step."""
    return api.post(f"{AUTH}login/mfa/", {"ticket": first_step(api, user)["ticket"], **answer})
