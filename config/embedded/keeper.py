"""``python -m config.embedded.keeper [HOME] [--throwaway]``: runs the two servers until standard input ends.

The first line it prints is their addresses, as JSON. Then it takes a command a line (``kill postgres``) and answers
each with a line. ``config.embedded.servers`` is its other side.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import Refusal, home
from .postgres import Postgres
from .server import Server
from .valkey import Valkey

PATIENCE = 60  # seconds
ATTEMPTS = 5  # a port that was free may be taken before the server has it


class Kept:
    """A server and its process."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.log = server.folder / "log"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self.server.prepare()
            try:
                return self.revive()
            except TimeoutError:
                self.end(signal.SIGKILL)
                if attempt == ATTEMPTS:
                    raise

    def revive(self) -> None:
        self.server.clear_up()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.server.command(), env=self.server.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.process = process
        self.server.wait_until_ready(alive=lambda: process.poll() is None)

    def come_back(self) -> None:
        """Revive it once what a kill left of it has ended: Postgres does not start beside a busy backend."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.revive()
            except TimeoutError:
                if (self.process and self.process.poll() is None) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def signal(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)

    def end(self, number: int) -> None:
        """Signal it, and wait; after 20 s it is killed."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def keep(folder: Path, *, durable: bool) -> None:
    postgres = Postgres(folder / "postgres", durable=durable)
    valkey = Valkey(folder / "valkey", durable=durable)
    kept = {server.name: Kept(server) for server in (postgres, valkey)}
    try:
        for each in kept.values():
            each.start()
        say(database_url=postgres.url, redis_url=f"{valkey.url}/0", broker_url=f"{valkey.url}/1")
        for line in sys.stdin:
            action, name = line.split()
            obey(kept[name], action)
            say()
    finally:
        kept["valkey"].end(signal.SIGTERM)
        kept["postgres"].end(signal.SIGINT)  # at once, and in order


def obey(each: Kept, action: str) -> None:
    if action == "kill":
        each.end(signal.SIGKILL)
    elif action == "revive":
        each.come_back()
    elif action == "freeze":
        each.signal(signal.SIGSTOP)
    elif action == "thaw":
        each.signal(signal.SIGCONT)


def say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--throwaway", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = options.home or Path(tempfile.mkdtemp(prefix="atrium-"))
    try:
        held = home.lock(home.make(folder))
        keep(folder, durable=not options.throwaway)
        held.close()
    except (Refusal, TimeoutError) as refusal:
        say(refusal=str(refusal))
    finally:
        if options.home is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
