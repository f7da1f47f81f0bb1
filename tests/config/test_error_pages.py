"""Error pages need nothing: no database, no signed-in user, no collected static files, no context."""

import pytest
from django.template.loader import render_to_string


@pytest.mark.parametrize("code", [400, 403, 404, 500, 503])
def test_an_error_page_renders_by_itself(code, settings):
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "nothing.is.There"}}
    page = render_to_string(f"{code}.html")
    assert f"Error {code}" in page
    assert 'href="/"' in page
    assert "style=" not in page
