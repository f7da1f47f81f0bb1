import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from django.db.models import F

from accounts.models import User
from tests.conftest import Client
from trends.models import ImportRun, InboxFile
from trends.services import import_runner, imports

from .factories import DATA, upload

IMPORTS = "/api/v1/trends/imports/"

Drop = Callable[..., Path]
Look = Callable[[], ImportRun]


class Send(Protocol):
    client: Client

    def __call__(self, content: bytes, name: str = "trends.csv", **fields: Any) -> dict[str, Any]: ...


@pytest.fixture
def drop(settings: Any) -> Drop:
    """``drop(content, "name.csv")`` puts a file into the inbox; a name alone is that of a sample file."""

    def put(content: bytes | str, name: str = "trends.csv") -> Path:
        settings.TRENDS_INBOX.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            return Path(shutil.copy(DATA / content, settings.TRENDS_INBOX / content))
        path: Path = settings.TRENDS_INBOX / name
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def look(db: None, django_capture_on_commit_callbacks: Any) -> Look:
    """Import what is in the inbox and does not change for a minute, as beat and a worker do; returns the newest run."""

    def once() -> ImportRun:
        with django_capture_on_commit_callbacks(execute=True):
            imports.import_watched_folder()
            InboxFile.objects.update(seen_at=F("seen_at") - timedelta(minutes=1))
            imports.import_watched_folder()
            import_runner.import_waiting()
        return ImportRun.objects.order_by("-pk").first()

    return once


@pytest.fixture
def send(api: Client, staff: User) -> Send:
    """``send(content)`` uploads a file as staff and imports it; returns the run as the API shows it."""
    client = api.as_user(staff)

    def post(content: bytes, name: str = "trends.csv", **fields: Any) -> dict[str, Any]:
        response = client.post(IMPORTS, {"file": upload(content, name), **fields}, format="multipart")
        assert response.status_code == 202, response.content
        if response.json()["dry_run"]:
            return response.json()
        import_runner.import_waiting()
        return client.get(f"{IMPORTS}{response.json()['id']}/").json()

    post.client = client
    return post


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []
