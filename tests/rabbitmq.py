"""A RabbitMQ of a test's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from kombu import Connection

from .sentinels import HERE, Place
from .waiting import wait_until

# Debian's wrapper in /usr/sbin changes to the user rabbitmq, whose folders are those of the machine's server.
PROGRAM = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin") or shutil.which("rabbitmq-server")
USER, PASSWORD, PORT = "atrium", "word-of-broker", 5672


class RabbitMQ:
    """A server with its files in ``folder``, for a host of its own; skips the test if RabbitMQ is not installed."""

    def __init__(self, folder: Path, place: Place = HERE) -> None:
        if PROGRAM is None:
            pytest.skip("rabbitmq-server is not installed")
        self.folder, self.place = folder, place
        self.url = f"amqp://{USER}:{PASSWORD}@{place.ip}:{PORT}//"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start, with the queues of an earlier start, and wait until clients can connect."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {self.place.ip}:{PORT}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n"
            "disk_free_limit.absolute = 50MB\nlog.console = true\nlog.file = false\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        environment = {
            **os.environ,
            "HOME": str(self.folder),  # where Erlang stores its cookie
            "RABBITMQ_NODENAME": "drill@localhost",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",  # one scheduler: the test has few cores
        }
        with (self.folder / "rabbitmq.log").open("ab") as log:
            command = [*self.place.inside, str(PROGRAM)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        wait_until(self.answers, timeout=90, what="RabbitMQ")

    def answers(self) -> bool:
        with Connection(self.url, connect_timeout=2) as connection:
            try:
                connection.connect()
            except connection.connection_errors:
                return False
            return True
