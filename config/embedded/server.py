"""What the two private servers have in common."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from . import ports
from .home import make, write_private


class Server(ABC):
    """The server whose files are in ``folder``; with ``durable=False`` it is quick and may lose what it holds."""

    name: str
    title: str

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.durable = durable
        self.data = folder / "data"

    @property
    def port(self) -> int:
        return int((self.folder / "port").read_text())

    @property
    def password(self) -> str:
        """Made once, because other users of this machine reach the port too."""
        file = self.folder / "password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24) + "\n")
        return file.read_text().strip()

    def prepare(self) -> None:
        """Make what the first start needs, and settle the port; raises Refusal. The server must not be running."""
        make(self.folder)
        self.make_data()
        ports.settle(self.folder / "port")

    def run(self) -> None:
        """Become the server."""
        self.clear_up()
        command = self.command()
        os.execvpe(command[0], command, self.environment())

    def environment(self) -> dict[str, str]:
        """The process's own, without what would reach into the server: libpq's variables, languages of the machine."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        return kept | {"LC_ALL": "C"}

    def clear_up(self) -> None:
        """Remove what a killed server left in the way of the next. There is nothing unless a server says so."""
        return

    @abstractmethod
    def make_data(self) -> None:
        """Make the data folder if there is none; raises Refusal if the one there cannot be used."""

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server and stays in the foreground."""

    @abstractmethod
    def wait_until_ready(self, *, seconds: float = 60, alive: Callable[[], bool] = lambda: True) -> None:
        """Return once it can be used; raises TimeoutError after so many ``seconds``, or at once if not ``alive``."""
