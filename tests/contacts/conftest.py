"""Fixtures of the contacts tests."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from django.http import HttpResponse

from contacts.services.importing import import_due
from tests.conftest import Client
from tests.factories import UserFactory

from .workbooks import DATA, upload_of, xlsx

URL = "/api/v1/contacts/"
Content = Iterable[Sequence] | bytes | str
Send = Callable[..., Any]


def code_of(answer: Any) -> str:
    """Return the code of the first error of an API response."""
    return answer.json()["errors"][0]["code"]


@pytest.fixture
def other(api: Client) -> Client:
    """A client signed in as somebody else."""
    return api.as_user(UserFactory())


@pytest.fixture
def send() -> Send:
    """Upload rows, the bytes of a file, or a file of tests/data by its name: ``send(client, content)``."""

    def send(client: Client, content: Content, name: str = "contacts.xlsx", **headers: str) -> HttpResponse:
        if isinstance(content, str):
            name, content = content, (DATA / content).read_bytes()
        file = upload_of(content if isinstance(content, bytes) else xlsx(content), name)
        return client.post(f"{URL}uploads/", {"file": file}, format="multipart", headers=headers)

    return send


@pytest.fixture
def imported(send: Send) -> Send:
    """Like ``send``, but also run the import; returns the upload as the API shows it afterwards."""

    def imported(client: Client, content: Content, **options: Any) -> dict:
        answer = send(client, content, **options)
        assert answer.status_code == 202, answer.content
        import_due()
        return client.get(f"{URL}uploads/{answer.json()['id']}/").json()

    return imported
