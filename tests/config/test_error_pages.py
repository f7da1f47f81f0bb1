"""Error pages work without database, user, collected static files and context."""

from typing import Any, NoReturn

import pytest
from django.db import OperationalError, connection
from django.template.loader import render_to_string
from django.test import Client

from accounts.backends import BACKEND
from accounts.models import User


@pytest.mark.parametrize("code", [400, 403, 404, 411, 413, 500, 503])
def test_an_error_page_renders_without_a_context(code: int, settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "nothing.is.There"}}
    page = render_to_string(f"{code}.html")
    assert f"Error {code}" in page
    for path in ("/", "/notes/", "/messager/", "/contacts/", "/trends/"):
        assert f'href="{path}"' in page
    assert "style=" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("accept, kind", [("text/html", "text/html"), ("*/*", "application/json")])
def test_a_too_large_form_is_413_in_the_accepted_format(client: Client, settings: Any, accept: str, kind: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = client.post("/login/", {"login": "x" * 1000}, headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"].partition(";")[0]) == (413, kind)


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize("path", ["/", "/api/v1/trends/"])
def test_an_unknown_host_name_is_a_400_that_names_the_setting(client: Client, db: None, accept: str, path: str) -> None:
    response = client.get(path, headers={"Accept": accept, "Host": "elsewhere.example"})
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.content.decode()


@pytest.mark.django_db
class TestNavigation:
    def test_the_404_page_keeps_the_navigation_of_a_signed_in_user(self, client: Client, user: User) -> None:
        client.force_login(user, backend=BACKEND)
        page = client.get("/nowhere/", headers={"Accept": "text/html"})
        assert page.status_code == 404
        for text in ("Page not found", 'aria-label="Site"', user.username, "Sign out"):
            assert text in page.content.decode()

    def test_the_403_page_keeps_the_navigation(self, user: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(user, backend=BACKEND)
        page = client.post("/logout/", headers={"Accept": "text/html"})
        assert page.status_code == 403
        for text in ("Access denied", 'aria-label="Site"', user.username):
            assert text in page.content.decode()

    def test_an_outage_leaves_a_404_page_without_a_user(self, client: Client, user: User, settings: Any) -> None:
        client.force_login(user, backend=BACKEND)
        with connection.execute_wrapper(unavailable):
            page = client.get("/nowhere/", headers={"Accept": "text/html"})
        assert (page.status_code, "Page not found" in page.content.decode()) == (404, True)
        assert 'aria-label="Site"' in page.content.decode()
        assert user.username not in page.content.decode()


def unavailable(*_: Any) -> NoReturn:
    raise OperationalError("could not connect to server")
