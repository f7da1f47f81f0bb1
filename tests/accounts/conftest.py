from collections.abc import Callable

import pytest
from django.test import Client as DjangoClient

from accounts.models import User
from config.models import OutgoingMail

from ..factories import PASSWORD


@pytest.fixture
def cookie_client(user: User) -> DjangoClient:
    """A browser-like client in which ``user`` has signed in on the login page."""
    client = DjangoClient(HTTP_USER_AGENT="Firefox", raise_request_exception=False)
    assert client.post("/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    return client


@pytest.fixture
def factor_mails(db: None) -> Callable[[], list[str]]:
    """A function that returns the queued mails about second factors: what each says was changed, oldest first."""
    rows = OutgoingMail.objects.filter(template="factor_changed").order_by("pk")
    return lambda: [row.context["change"] for row in rows.all()]
