"""Providers: a small one that tests can make dishonest, and a real one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client as DjangoClient

from accounts.oidc import provider as module

from .fake import CLIENT_ID, CLIENT_SECRET, FakeProvider


def use_provider(settings: Any, issuer: str) -> None:
    """Let the site use the provider ``issuer``."""
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = issuer, CLIENT_ID, CLIENT_SECRET
    settings.OIDC_LABEL = "Example ID"
    module.forget()


@pytest.fixture
def provider(settings: Any, db: None) -> Iterator[FakeProvider]:
    fake = FakeProvider()
    use_provider(settings, fake.url)
    yield fake
    fake.stop()


@pytest.fixture
def sign_in(provider: FakeProvider, client: DjangoClient) -> Callable[..., Any]:
    """``sign_in(browser=client, path="/oidc/login/", **parameters)``: the callback's response after the provider."""

    def run(browser: DjangoClient = client, path: str = "/oidc/login/?next=/account/", **extra: str) -> Any:
        start = browser.get(path)
        assert start.status_code == 302, start.content
        return browser.get(provider.authorize(start["Location"], **extra))

    return run
