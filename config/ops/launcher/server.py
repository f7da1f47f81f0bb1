"""The common part of the two private servers."""

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from . import ports
from .home import make, write_private


class Server:
    """A server with its files in ``folder``. With ``durable=False`` it is fast and may lose data: for tests."""

    name: str
    title: str
    variable: str  # the setting for its address

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.durable = durable
        self.data = folder / "data"

    @property
    def url(self) -> str:
        """The address, with the password."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        return int((self.folder / "port").read_text())

    @property
    def password(self) -> str:
        """A password, made once: other users of the machine reach the port too."""
        file = self.folder / "password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24) + "\n")
        return file.read_text().strip()

    def prepare(self) -> None:
        """Create the data folder and reserve a port while the server is stopped; raises StartError."""
        make(self.folder)
        self.make_data()
        ports.reserve(self.folder / "port")

    def environment(self) -> dict[str, str]:
        """Return this process's environment without libpq's variables and locales, which affect the server."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        return kept | {"LC_ALL": "C"}

    def wait_until_ready(self, *, seconds: float = 60, alive: Callable[[], bool] = lambda: True) -> None:
        """Wait until the server accepts work; raises TimeoutError after ``seconds`` or when ``alive`` is false."""
        deadline = time.monotonic() + seconds
        while problem := self.problem():
            if time.monotonic() > deadline or not alive():
                raise TimeoutError(f"{self.title} does not answer: {problem}")
            time.sleep(0.05)

    def make_data(self) -> None:
        """Create the data folder if it is missing; raises StartError if the existing one is unusable."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        raise NotImplementedError

    def problem(self) -> str:
        """Return why the server does not accept work yet, or an empty string."""
        raise NotImplementedError
