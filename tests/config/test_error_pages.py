"""Error pages need nothing: no database, no signed-in user, no collected static files, no context."""

import pytest
from django.template.loader import render_to_string


@pytest.mark.parametrize("code", [400, 403, 404, 411, 413, 500, 503])
def test_an_error_page_renders_by_itself(code, settings):
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "nothing.is.There"}}
    page = render_to_string(f"{code}.html")
    assert f"Error {code}" in page
    assert 'href="/"' in page
    assert "style=" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("accept, kind", [("text/html", "text/html"), ("*/*", "application/json")])
def test_a_form_that_is_too_large_gets_413_in_the_client_s_own_terms(client, settings, accept, kind):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = client.post("/login/", {"login": "x" * 1000}, headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (413, kind)


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize("path", ["/", "/api/v1/trends/"])
def test_a_wrong_host_name_is_said_to_be_one(client, db, accept, path):
    answer = client.get(path, headers={"Accept": accept, "Host": "elsewhere.example"})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.content.decode()
