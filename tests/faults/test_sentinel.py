"""Redis fails over while people work: cache, events and broker follow the Sentinels."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from ..conftest import Inbox
from ..sentinels import Sentinels
from ..waiting import wait_until
from .stack import Stack
from .test_messaging import (
    Follower,
    assert_everything_arrived_once,
    assert_followers_know_everything_once,
    create_people,
    listening,
    write_during,
)
from .test_outages import ask_for_resets, use_mail_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Sentinels]:
    group = Sentinels(tmp_path / "redis")
    group.start()
    yield group
    group.stop()


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_a_failover_under_traffic_loses_nothing_and_everything_follows_the_new_primary(
    build_stack: Callable[..., Stack], group: Sentinels, smtp: Inbox, fault: str
) -> None:
    stack = build_stack(**use_mail_server(smtp), REDIS_URL=group.url(0), CELERY_BROKER_URL=group.url(1))
    processes = {role: stack.start(role) for role in ("web", "events", "worker", "webhooks", "beat")}
    wait_until(stack.ready, timeout=120)
    people = create_people(stack, 22)[:2]
    stack.sql("UPDATE accounts_user SET email_verified_at = now()")
    addresses = [f"p{n}@example.org" for n in range(2, 22)]
    followers = [Follower(person) for person in people]
    pauses = []

    def disturb() -> None:
        ask_for_resets(stack, addresses[:10])
        old = group.primary()
        started = time.monotonic()
        old.send(signal.SIGKILL if fault == "kill" else signal.SIGSTOP)
        before = [follower.streams for follower in followers]
        ask_for_resets(stack, addresses[10:])
        group.wait_for_failover(old)
        wait_until(stack.ready, timeout=60, what="readiness with the new primary")
        pauses.append(time.monotonic() - started)
        wait_until(
            lambda: all(now.streams > then for now, then in zip(followers, before, strict=True)),
            timeout=60, what="streams from the new primary",
        )  # fmt: skip
        # The old primary returns as a replica: nothing may stay connected to it.
        if fault == "kill":
            old.end()
            old.start()
        else:
            old.send(signal.SIGCONT)
        wait_until(lambda: group.is_replica(old), timeout=60, what="the old primary as a replica")
        wait_until(stack.ready, timeout=120)

    acknowledged = write_during(people, disturb)
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(addresses), timeout=60, what="every mail")
    # A worker that loses its broker ends its task: a mail that was sent and not yet committed is sent again.
    assert len(smtp.messages) <= len(addresses) + 1
    unfinished = "SELECT 1 FROM messaging_broadcastbatch WHERE done_at IS NULL"
    wait_until(lambda: not stack.sql(unfinished), timeout=60, what="the fan-out of every broadcast")
    assert_everything_arrived_once(people, acknowledged)
    assert_followers_know_everything_once(followers, acknowledged)
    for follower in followers:
        follower.close()
    assert max(pauses) < 40, pauses
    for role, process in processes.items():
        assert process.poll() is None, f"{role} exited"
        assert "Traceback" not in stack.log(role), f"a traceback in the log of {role}"


def program_with_tls() -> str:
    """Return a Redis or Valkey with TLS, which the wheel's is not; skips the test if none is installed."""
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            command = [program, "--port", "0", "--tls-port", "0"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            if "not listen anywhere" in done.stdout:
                return program
    pytest.skip("no Redis or Valkey with TLS is installed")


def test_sentinels_and_servers_with_tls_serve_cache_events_and_broker(
    build_stack: Callable[..., Stack], tmp_path: Path, smtp: Inbox
) -> None:
    program = program_with_tls()
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [*command.split(), "-keyout", "key.pem", "-out", "cert.pem"], cwd=certificates, check=True, capture_output=True
    )
    group = Sentinels(tmp_path / "redis", certificates=certificates, program=program)
    try:
        group.start()
        server = group.servers[0]
        for urls in (
            {"REDIS_URL": group.url(0), "CELERY_BROKER_URL": group.url(1)},
            {"REDIS_URL": group.server_url(server, 0), "CELERY_BROKER_URL": group.server_url(server, 1)},
        ):
            stack = build_stack(**use_mail_server(smtp), **urls)
            for role in ("web", "events", "worker"):
                stack.start(role)
            wait_until(stack.ready, timeout=120)
            (person,) = create_people(stack, 1)
            stack.sql("UPDATE accounts_user SET email_verified_at = now()")
            wait_until(lambda: listening(person), what="a stream")  # noqa: B023
            sent = len(smtp.messages)
            ask_for_resets(stack, ["p0@example.org"])
            wait_until(lambda: len(smtp.messages) > sent, timeout=60, what="the mail")  # noqa: B023
            assert requests.get(f"{stack.url}/api/v1/trends/", timeout=10).status_code == 200
            stack.close()
        # A certificate that is not trusted is refused.
        untrusted = {"REDIS_URL": group.server_url(server, 0).partition("?")[0]}
        stack = build_stack(**untrusted)
        stack.start("web")
        assert requests.get(f"{stack.url}/readyz/", timeout=30).json()["checks"]["redis"] == "down"
    finally:
        group.stop()
