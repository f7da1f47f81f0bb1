import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trends import importing, services
from trends.models import ImportRun

from .factories import DATA, upload

IMPORTS = "/api/v1/trends/imports/"


@pytest.fixture(autouse=True)
def settles_at_once(settings: Any) -> None:
    settings.TRENDS_SETTLE = 0


@pytest.fixture
def drop(settings: Any) -> Callable[..., Path]:
    """``drop(content, "name.csv")`` puts a file into the inbox; a name alone is that of a sample."""

    def put(content: bytes | str, name: str = "trends.csv") -> Path:
        settings.TRENDS_INBOX.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            return Path(shutil.copy(DATA / content, settings.TRENDS_INBOX / content))
        path = settings.TRENDS_INBOX / name
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def look(db: None, django_capture_on_commit_callbacks: Any) -> Callable[[], ImportRun]:
    """Look into the inbox and import what is there, as beat and a worker do; the newest run."""

    def once() -> ImportRun:
        with django_capture_on_commit_callbacks(execute=True):
            services.look_into_inbox()
            importing.import_waiting()
        return ImportRun.objects.order_by("-pk").first()

    return once


@pytest.fixture
def send(api: Any, staff: Any) -> Callable[..., Any]:
    """``send(content)`` uploads a file as staff, has it imported, and returns the run as the API tells it."""
    client = api.as_user(staff)

    def post(content: bytes, name: str = "trends.csv", **fields: Any) -> dict[str, Any]:
        answer = client.post(IMPORTS, {"file": upload(content, name), **fields}, format="multipart")
        assert answer.status_code == 202, answer.content
        if answer.json()["dry_run"]:
            return answer.json()
        importing.import_waiting()
        return client.get(f"{IMPORTS}{answer.json()['id']}/").json()

    post.client = client
    return post


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []
