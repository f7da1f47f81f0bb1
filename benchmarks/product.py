"""The product as ``bin/up`` runs it, on the servers of the benchmark, with users, notes and trends."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from django.db import transaction
from django.db.models.functions import Now

from accounts import tokens
from accounts.hashers import Argon2idHasher
from accounts.models import User, UserProfile
from config.cache.generations import invalidate
from notes.models import Membership, Note, Role
from notes.services.events import cache_scope

from . import load
from .harness import ROOT, free_port, stop, wait_until_ready

# Requests are counted as in production, but none is refused.
COUNTED = {
    f"THROTTLE_{name}": "100000000/min" for name in ("ANON", "USER", "LOGIN", "REGISTER", "MAIL", "SEND", "UPLOAD")
}


class Product:
    """A running product. ``tokens`` belong to ``users``, in the same order; call ``sign_in`` before they expire."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url, self.process = url, process
        self.users: list[User] = []
        self.tokens: list[str] = []

    def request(self, path: str, method: str = "GET", *, user: int | None = None, **rest: Any) -> bytes:
        """Return the bytes of a request to a path below ``/api/v1/``, signed in as the user with that number."""
        headers = {} if user is None else {"Authorization": f"Bearer {self.tokens[user]}"}
        return load.request(f"{self.url}/api/v1/{path}", method, **headers, **rest)

    def note(self, user: int, text: dict[str, str]) -> bytes:
        return self.request("notes/", "POST", user=user, body=text)

    def notes_page(self, user: int) -> bytes:
        return self.request("notes/", user=user)

    def trends_page(self) -> bytes:
        return self.request("trends/")

    def login(self, user: int, password: str) -> bytes:
        return self.request("auth/login/", "POST", body={"username": self.users[user].username, "password": password})

    def message(self, sender: int, recipient: int, text: str) -> bytes:
        body = {"body": text, "recipients": [self.users[recipient].usercode]}
        return self.request("messages/", "POST", user=sender, body=body)

    def fill(self, prefix: str, *, users: int, notes: Sequence[dict], password: str) -> None:
        """Create users whose names begin with ``prefix``, the first of them staff, and ``notes`` for each."""
        hasher = Argon2idHasher()
        encoded = hasher.encode(password, hasher.salt())
        self.users = User.objects.bulk_create(
            User(
                username=f"{prefix}{n}",
                email=f"{prefix}{n}@example.org",
                usercode=f"{prefix[:1].upper()}{n:05}",
                password=encoded,
                email_verified_at=Now(),
                is_staff=n == 0,
            )
            for n in range(users)
        )
        UserProfile.objects.bulk_create(UserProfile(user=user) for user in self.users)
        written = Note.objects.bulk_create(Note(owner=owner, **note) for owner in self.users for note in notes)
        Membership.objects.bulk_create(Membership(user=note.owner, note=note, role=Role.OWNER) for note in written)
        self.sign_in()

    def sign_in(self) -> None:
        """Start a session for each user."""
        self.tokens = [tokens.start_session(user=user)[1] for user in self.users]

    @transaction.atomic
    def change_a_note_of_everybody(self) -> None:
        """Change a note of each user, so that nothing cached is valid."""
        newest = Note.objects.order_by("owner_id", "-pk").distinct("owner_id")
        Note.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).update(updated_at=Now())
        invalidate(*(cache_scope(user.pk) for user in self.users))


@contextmanager
def running(home: Path) -> Iterator[Product]:
    """Run ``bin/up`` with its home in ``home``, on the servers that DATABASE_URL and REDIS_URL name."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **COUNTED, "ATRIUM_HOME": str(home), "PORT": str(port), "PUBLIC_URL": url}
    process = subprocess.Popen(
        [sys.executable, "-m", "config.ops.launcher"],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until_ready(lambda: load.call(f"{url}/readyz/"), process)
        yield Product(url, psutil.Process(process.pid))
    finally:
        stop(process)
