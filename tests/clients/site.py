"""A running product whose processes a test can kill, with its own demo accounts."""

import contextlib
import functools
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..faults.stack import Stack
from ..places import free_port
from ..waiting import wait_until


class Site(Stack):
    """All processes of Atrium behind one address, which is also PUBLIC_URL.

    ``origin`` is another origin whose pages may call the API; ``serve_pages`` serves it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manage("migrate", "--verbosity", "0")
        self.accounts: list[dict[str, Any]] = json.loads(self.manage("demo", "--json"))
        # Chosen now, as late as possible: other tests choose ports too.
        self.origin_port, self.port, self.events_port, self.front_port = (free_port() for _ in range(4))
        self.url, self.front_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.front_port}"
        self.origin = f"http://127.0.0.1:{self.origin_port}"
        self.settings |= {"PUBLIC_URL": self.front_url, "EVENTS_URL": self.front_url}
        self.settings["CORS_ALLOWED_ORIGINS"] = self.origin
        self.running = {role: self.start(role) for role in ("events", "worker", "beat", "web", "front")}
        events = f"http://127.0.0.1:{self.events_port}"
        wait_until(lambda: self.answers(events), what="an answer from the events process")

    def restart(self, role: str) -> None:
        """Kill a process, or Redis, and start it again."""
        if role == "redis":
            self.servers.kill("valkey")
            time.sleep(0.5)  # long enough that calls fail
            self.servers.restart("valkey")
            return
        self.kill(self.running[role])
        self.running[role] = self.start(role)

    @contextlib.contextmanager
    def serve_pages(self, folder: Path) -> Iterator[None]:
        """Serve the files of ``folder`` at ``origin``."""

        class Handler(http.server.SimpleHTTPRequestHandler):
            extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        handler = functools.partial(Handler, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", self.origin_port), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
