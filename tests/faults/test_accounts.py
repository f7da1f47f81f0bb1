"""Mail server outages and killed processes: every user still gets a working link."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from django.contrib.auth.hashers import make_password

from accounts.services.links import hash_code

from ..conftest import Inbox, free_port
from ..waiting import wait_until
from .stack import Stack

PASSWORD = "correct horse battery staple"


@contextlib.contextmanager
def mail_server(inbox: Inbox, port: int) -> Iterator[None]:
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def call(stack: Stack, path: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{stack.url}/api/v1/auth/{path}", json=body, timeout=30)


def register(stack: Stack, name: str) -> requests.Response:
    return call(stack, "register/", {"email": f"{name}@example.org", "username": name, "password": PASSWORD})


def code_of(message: Any) -> str:
    return re.search(r"/v/([\w-]+)/", message.get_body(("plain",)).get_content())[1]


@pytest.mark.slow
def test_mails_are_sent_once_after_the_mail_server_returns(build_stack: Callable[..., Stack]) -> None:
    port, inbox = free_port(), Inbox()
    stack = build_stack(EMAIL_URL=f"smtp://127.0.0.1:{port}")
    stack.start("web")
    stack.start("worker")
    stack.start("beat")
    started = time.monotonic()
    for n in range(5):
        assert register(stack, f"early{n}").status_code == 201
    assert call(stack, "resend-verification/", {"email": "early0@example.org"}).status_code == 202
    assert time.monotonic() - started < 10, "requests do not wait for the mail server"
    wait_until(
        lambda: stack.sql("SELECT count(*) FROM accounts_accountlink WHERE error LIKE %s", "%is unavailable%")[0][0],
        timeout=60,
        what="a failed connection to the mail server",
    )
    with mail_server(inbox, port):
        wait_until(lambda: len(inbox.messages) >= 6, timeout=60, what="every mail")
        wait_until(
            lambda: not stack.sql("SELECT 1 FROM accounts_accountlink WHERE done_at IS NULL"), what="all links done"
        )
    assert sorted(m["To"] for m in inbox.messages) == sorted(
        [*(f"early{n}@example.org" for n in range(5)), "early0@example.org"]
    )
    assert {row[0] for row in stack.sql("SELECT attempts FROM accounts_accountlink")} == {1}, (
        "waiting does not count as an attempt"
    )
    last = next(m for m in inbox.messages if m["To"] == "early4@example.org")
    assert call(stack, "verify-email/", {"token": code_of(last)}).status_code == 200


class KillingInbox(Inbox):
    """Accepts the first mail and calls ``kill`` before the sender gets the response."""

    def __init__(self) -> None:
        super().__init__()
        self.kill: Callable[[], None] | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        response = await super().handle_DATA(server, session, envelope)
        if self.kill is not None:
            kill, self.kill = self.kill, None
            kill()
        return response


@pytest.mark.slow
def test_a_worker_killed_between_sending_and_commit_sends_another_code(build_stack: Callable[..., Stack]) -> None:
    port, inbox = free_port(), KillingInbox()
    stack = build_stack(EMAIL_URL=f"smtp://127.0.0.1:{port}")
    stack.start("web")
    stack.start("beat")
    with mail_server(inbox, port):
        worker = stack.start("worker")
        inbox.kill = lambda: stack.kill(worker)
        assert register(stack, "ada").status_code == 201
        wait_until(lambda: worker.poll() is not None, timeout=60, what="the end of the worker")
        stack.start("worker")
        wait_until(lambda: len(inbox.messages) == 2, timeout=60, what="the second mail")
        wait_until(lambda: not stack.sql("SELECT 1 FROM accounts_accountlink WHERE done_at IS NULL"))
        lost, valid = map(code_of, inbox.messages)
        assert lost != valid
        assert call(stack, "verify-email/", {"token": lost}).status_code == 400
        assert call(stack, "verify-email/", {"token": valid}).status_code == 200
    assert len(inbox.messages) == 2, "at most one mail too many"


def test_acknowledged_registrations_survive_a_killed_web_process(
    build_stack: Callable[..., Stack], smtp: Inbox
) -> None:
    stack = build_stack(EMAIL_URL=f"smtp://127.0.0.1:{smtp.port}")
    web = stack.start("web")
    stack.start("worker")
    stack.start("beat")

    def attempt(name: str) -> int:
        try:
            return register(stack, name).status_code
        except requests.RequestException:
            return 0

    with ThreadPoolExecutor(4) as pool:
        responses = [(f"person{n}", pool.submit(attempt, f"person{n}")) for n in range(60)]
        wait_until(lambda: sum(f.done() and f.result() == 201 for _, f in responses) >= 10, timeout=60)
        stack.kill(web)
        stack.start("web")
    acknowledged = {name for name, future in responses if future.result() == 201}
    assert 10 <= len(acknowledged) < 60
    stored = {row[0] for row in stack.sql("SELECT username FROM accounts_pendingregistration")}
    assert acknowledged <= stored
    wait_until(lambda: {m["To"] for m in smtp.messages} == {f"{name}@example.org" for name in stored}, timeout=60)
    assert len(smtp.messages) == len(stored), "one mail for each registration"
    assert call(stack, "login/", {"username": min(acknowledged), "password": PASSWORD}).json()["errors"][0]["code"] == (
        "email_not_verified"
    )


@pytest.mark.slow
def test_an_upgrade_keeps_unconfirmed_registrations_blocks_and_mails(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack()
    stack.manage("migrate", "accounts", "0002", "--verbosity", "0")
    stack.manage("migrate", "config", "0004", "--verbosity", "0")
    encoded = make_password(PASSWORD)
    for name, confirmed in (("ann", True), ("ben", True), ("new", False)):
        stack.sql(
            "WITH person AS (INSERT INTO accounts_user (username, email, usercode, password, first_name, last_name, "
            "is_active, is_staff, is_superuser, date_joined, email_verified_at) "
            "VALUES (%s, %s, upper(left(md5(%s), 6)), %s, '', '', true, false, false, "
            "now() - interval '1 day', CASE WHEN %s THEN now() END) RETURNING id) "
            "INSERT INTO accounts_userprofile (user_id, timezone, image) SELECT id, 'UTC', '' FROM person",
            name, f"{name}@example.org", name, encoded, confirmed,
        )  # fmt: skip
    stack.sql(
        "INSERT INTO accounts_accountlink (user_id, purpose, email, code_hash, expires_at, done_at, attempts, error, "
        "asked_user_agent) SELECT id, 'verify_email', email, %s, now() + interval '1 day', now(), 1, '', '' "
        "FROM accounts_user WHERE username = 'new'",
        hash_code("a-code-of-22-characters"),
    )
    stack.sql(
        "INSERT INTO messaging_block (blocker_id, blocked_id) SELECT a.id, b.id FROM accounts_user a, accounts_user b "
        "WHERE a.username = 'ann' AND b.username = 'ben'"
    )
    stack.sql(
        'INSERT INTO config_outgoingmail ("to", template, context, attempts, error) '
        "VALUES ('ann@example.org', 'new_device', '{}', 0, '')"
    )
    stack.manage("migrate", "--verbosity", "0")
    stack.start("web")
    credentials = {"username": "new", "password": PASSWORD}
    assert call(stack, "login/", credentials).status_code == 403
    assert call(stack, "verify-email/", {"token": "a-code-of-22-characters"}).status_code == 200
    assert call(stack, "login/", credentials).status_code == 200
    access = call(stack, "login/", {"username": "ann", "password": PASSWORD}).json()["access"]
    headers = {"Authorization": f"Bearer {access}"}
    blocks = requests.get(f"{stack.url}/api/v1/blocks/", headers=headers, timeout=30).json()
    assert [block["username"] for block in blocks] == ["ben"]
    exported = requests.get(f"{stack.url}/api/v1/auth/export/", headers=headers, timeout=30).json()
    assert [mail["template"] for mail in exported["account"]["mails"]] == ["new_device"]
