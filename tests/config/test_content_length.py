"""A chunked body sent to the real web server is refused, not read as empty."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from accounts import tokens
from config.ops.launcher import ports
from notes.models import Note

from ..factories import UserFactory


@pytest.fixture
def web(start_process: Callable[..., Any], wait_until: Callable[..., Any]) -> str:
    """The URL of a running web process."""
    port = ports.choose()
    start_process("-m", "config.ops.processes", "web", WEB_PORT=str(port))

    def ready() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/healthz/", timeout=2).ok
        except requests.RequestException:
            return False

    wait_until(ready, what="a ready web process")
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("accept, kind", [("*/*", "application/json"), ("text/html", "text/html")])
def test_a_chunked_body_is_411(web: str, accept: str, kind: str) -> None:
    _, access, _ = tokens.start_session(user=UserFactory())
    headers = {"Authorization": f"Bearer {access}", "Content-Type": "application/json", "Accept": accept}
    chunks = [b'{"title": ', b'"Milk"}']
    response = requests.post(f"{web}/api/v1/notes/", data=iter(chunks), headers=headers, timeout=10)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (411, "length_required")
    page = requests.post(f"{web}/login/", data=iter(chunks), headers=headers, timeout=10)
    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (411, kind)
    assert not Note.objects.exists()
    assert requests.post(f"{web}/api/v1/notes/", data=b"".join(chunks), headers=headers, timeout=10).status_code == 201
    assert Note.objects.get().title == "Milk"
