"""The two servers for as long as somebody needs them: a test run, a measurement.

``start()`` leaves them to a keeper, a small process that ends them when it is told to or when whoever started it is
gone, even by ``kill -9``. ``bin/up`` runs the same servers under its supervisor instead.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import Refusal

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Servers:
    """A Postgres and a Valkey that run. Their names, for the methods below, are ``postgres`` and ``valkey``."""

    database_url: str
    redis_url: str
    broker_url: str
    _keeper: subprocess.Popen = field(repr=False)

    def kill(self, name: str) -> None:
        """End a server as ``kill -9`` does."""
        self._ask("kill", name)

    def revive(self, name: str) -> None:
        """Start a killed server again, at the same address, and wait until it answers."""
        self._ask("revive", name)

    def freeze(self, name: str) -> None:
        """Have a server hold its connections open and answer nothing, until ``thaw``."""
        self._ask("freeze", name)

    def thaw(self, name: str) -> None:
        self._ask("thaw", name)

    def stop(self) -> None:
        """End both in order. A second call does nothing."""
        if self._keeper.stdin and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
            self._keeper.wait(60)

    def _ask(self, *words: str) -> dict[str, Any]:
        print(*words, file=self._keeper.stdin, flush=True)
        return _answer(self._keeper)


def start(home: Path | None = None, *, durable: bool = True) -> Servers:
    """Servers with their data in ``home``, or in a temporary folder that goes with them; raises Refusal.

    With ``durable=False`` they are quick and keep nothing: for tests.
    """
    command = [sys.executable, "-m", "config.embedded.keeper", *([str(Path(home).absolute())] if home else [])]
    keeper = subprocess.Popen(
        [*command, *([] if durable else ["--throwaway"])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is for whoever started it
    )
    return Servers(**_answer(keeper), _keeper=keeper)


def _answer(keeper: subprocess.Popen) -> dict[str, Any]:
    line = keeper.stdout.readline() if keeper.stdout else ""
    answer = json.loads(line or '{"refusal": "The keeper of the private servers ended by itself."}')
    if refusal := answer.pop("refusal", None):
        raise Refusal(refusal)
    return answer
