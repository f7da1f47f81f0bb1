"""What the tests of contacts share."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from contacts import importing

from .sheets import DATA, upload_of, xlsx

URL = "/api/v1/contacts/"


@pytest.fixture
def send() -> Callable:
    """``send(client, rows)``, or bytes, or the name of a file of tests/data: the answer to the POST."""

    def send(client: Any, what: Iterable[Sequence] | bytes | str, name: str = "contacts.xlsx", **headers: str) -> Any:
        if isinstance(what, str):
            name, what = what, (DATA / what).read_bytes()
        content = what if isinstance(what, bytes) else xlsx(what)
        return client.post(f"{URL}uploads/", {"file": upload_of(content, name)}, format="multipart", headers=headers)

    return send


@pytest.fixture
def imported(send: Callable) -> Callable:
    """Like ``send``, and the sheet is read too; answers the upload as it is then."""

    def imported(client: Any, what: Any, **options: Any) -> dict:
        answer = send(client, what, **options)
        assert answer.status_code == 202, answer.content
        importing.import_due()
        return client.get(f"{URL}uploads/{answer.json()['id']}/").json()

    return imported
