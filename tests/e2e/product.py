"""A complete Atrium with its own home and port, started by ``manage.py up`` as a user starts it."""

import email
import email.policy
import os
import re
import signal
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import psutil
import requests

from config.ops.launcher import orphans

from ..places import ROOT
from ..waiting import wait_until

# The product starts its own servers, so the variables of the test run must not reach it.
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")


class Product:
    """``start()``, ``request(…)``, ``stop()`` or ``kill()``, then ``start()`` again."""

    def __init__(self, home: Path, port: int, **settings: str) -> None:
        self.home, self.port, self.settings = home, port, settings
        self.url = f"http://127.0.0.1:{port}"
        self.log = home.parent / "up.log"
        self.process: subprocess.Popen | None = None
        self.access = ""

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {**kept, "ATRIUM_HOME": str(self.home), "PORT": str(self.port), **self.settings}

    def start(self, *options: str) -> None:
        """Start Atrium and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *options],
                cwd=ROOT, env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        wait_until(self.ready_or_ended, timeout=240, what="a ready product")
        assert self.process.poll() is None, self.output()

    def ready_or_ended(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            return True
        try:
            return requests.get(f"{self.url}/readyz/", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` as in a second terminal and return its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def output(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def processes(self) -> list[psutil.Process]:
        """Return every process with the home in its environment or in the supervisor's session.

        Celery's and granian's processes set their title, which overwrites the visible environment.
        """
        found = orphans.find(self.home)
        for process in psutil.process_iter():
            try:
                if process.environ().get("ATRIUM_HOME") == str(self.home) and process.pid != os.getpid():
                    found += [process] if process not in found else []
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def stop(self) -> None:
        """Stop as with Ctrl-C, and check that no process is left."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        wait_until(lambda: not self.processes(), what="no process left")
        self.process = None

    def kill(self) -> None:
        """Send SIGKILL to all processes at once."""
        victims = self.processes()
        assert len(victims) >= 8, "postgres, valkey, front, web, events, worker, beat and up itself"
        for victim in victims:
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                continue
        assert self.process is not None
        self.process.wait(20)
        self.process = None

    def request(self, method: str, path: str, *, status: int, **options: object) -> requests.Response:
        """Call ``/api/v1/<path>``, with the access token if there is one, and check the status."""
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        answer = requests.request(method, f"{self.url}/api/v1/{path}", headers=headers, timeout=30, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer

    def mails_to(self, address: str) -> list[EmailMessage]:
        """Return the e-mails to ``address``, oldest first."""
        files = sorted((self.home / "mail").glob("*.eml"))
        mails = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
        return [mail for mail in mails if mail["To"] == address]

    def link_in_mail_to(self, address: str, kind: str) -> str:
        """Return the code in the newest ``/v/`` or ``/r/`` link mailed to ``address``."""
        mail = wait_until(lambda: self.mails_to(address), what=f"a mail to {address}")[-1]
        text = mail.get_body(("plain",))
        assert text is not None
        found = re.search(rf"/{kind}/([\w-]+)/", text.get_content())
        assert found, text.get_content()
        return found[1]
