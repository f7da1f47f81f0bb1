"""The redirect to https, and HSTS."""

from typing import Any

import pytest
from django.test import Client as DjangoClient

from config import settings as config_settings


@pytest.fixture
def https(settings: Any) -> None:
    """The site is served by https only."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600


@pytest.mark.parametrize("method, status", [("get", 301), ("head", 301), ("post", 308), ("put", 308), ("delete", 308)])
def test_the_redirect_to_https_keeps_the_method(https: None, client: DjangoClient, method: str, status: int) -> None:
    response = getattr(client, method)("/api/v1/auth/login/")
    assert (response.status_code, response["Location"]) == (status, "https://testserver/api/v1/auth/login/")


def test_hsts_covers_subdomains_and_preload_lists_only_by_setting(
    https: None, client: DjangoClient, settings: Any
) -> None:
    assert not config_settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
    assert not config_settings.SECURE_HSTS_PRELOAD
    assert client.get("/healthz/", secure=True)["Strict-Transport-Security"] == "max-age=3600"
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    header = DjangoClient().get("/healthz/", secure=True)["Strict-Transport-Security"]
    assert header == "max-age=3600; includeSubDomains; preload"
