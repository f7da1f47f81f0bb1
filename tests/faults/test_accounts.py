"""Mail servers that are away, workers and web processes that die: everybody gets their link, and a working one."""

import contextlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller

from ..conftest import Inbox, free_port
from ..waiting import wait_until
from .house import House

PASSWORD = "correct horse battery staple"


@contextlib.contextmanager
def mail_server(inbox: Inbox, port: int) -> Iterator[None]:
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def call(house: House, path: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{house.url}/api/v1/auth/{path}", json=body, timeout=30)


def register(house: House, name: str) -> requests.Response:
    return call(house, "register/", {"email": f"{name}@example.org", "username": name, "password": PASSWORD})


def code_of(message: Any) -> str:
    return re.search(r"/v/([\w-]+)/", message.get_body(("plain",)).get_content())[1]


@pytest.mark.timeout(240)
def test_mails_wait_for_a_mail_server_that_is_away_and_leave_once(build_house):
    port, inbox = free_port(), Inbox()
    house = build_house(EMAIL_URL=f"smtp://127.0.0.1:{port}")
    house.start("web")
    house.start("worker")
    house.start("beat")
    started = time.monotonic()
    for n in range(5):
        assert register(house, f"early{n}").status_code == 201
    assert call(house, "reset-password/", {"email": "early0@example.org"}).status_code == 202
    assert time.monotonic() - started < 10, "nobody waits for the mail server"
    wait_until(
        lambda: house.sql("SELECT count(*) FROM accounts_accountlink WHERE error LIKE %s", "%does not answer%")[0][0],
        timeout=60,
        what="an attempt that found no mail server",
    )
    with mail_server(inbox, port):
        wait_until(lambda: len(inbox.messages) >= 6, timeout=60, what="every mail")
        wait_until(
            lambda: not house.sql("SELECT 1 FROM accounts_accountlink WHERE done_at IS NULL"), what="an end of the work"
        )
    assert sorted(m["To"] for m in inbox.messages) == sorted(
        [*(f"early{n}@example.org" for n in range(5)), "early0@example.org"]
    )
    assert {row[0] for row in house.sql("SELECT attempts FROM accounts_accountlink")} == {1}, "waiting costs no attempt"
    last = next(m for m in inbox.messages if m["To"] == "early4@example.org")
    assert call(house, "verify-email/", {"token": code_of(last)}).status_code == 200


class DeadlyInbox(Inbox):
    """Takes the first mail and has the worker die before it hears so."""

    def __init__(self) -> None:
        super().__init__()
        self.kill: Any = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        if self.kill is not None:
            kill, self.kill = self.kill, None
            kill()
        return answer


@pytest.mark.timeout(240)
def test_a_worker_killed_between_sending_and_marking_sends_another_code(build_house):
    port, inbox = free_port(), DeadlyInbox()
    house = build_house(EMAIL_URL=f"smtp://127.0.0.1:{port}")
    house.start("web")
    house.start("beat")
    with mail_server(inbox, port):
        worker = house.start("worker")
        inbox.kill = lambda: house.kill(worker)
        assert register(house, "ada").status_code == 201
        wait_until(lambda: worker.poll() is not None, timeout=60, what="the worker's death")
        house.start("worker")
        wait_until(lambda: len(inbox.messages) == 2, timeout=60, what="the second mail")
        wait_until(lambda: not house.sql("SELECT 1 FROM accounts_accountlink WHERE done_at IS NULL"))
        lost, good = map(code_of, inbox.messages)
        assert lost != good
        assert call(house, "verify-email/", {"token": lost}).status_code == 400
        assert call(house, "verify-email/", {"token": good}).status_code == 200
    assert len(inbox.messages) == 2, "one mail too many at most"


@pytest.mark.timeout(240)
def test_whoever_was_told_so_is_registered_though_the_web_process_is_killed(build_house, smtp):
    house = build_house(EMAIL_URL=f"smtp://127.0.0.1:{smtp.port}")
    web = house.start("web")
    house.start("worker")
    house.start("beat")

    def attempt(name: str) -> int:
        try:
            return register(house, name).status_code
        except requests.RequestException:
            return 0

    with ThreadPoolExecutor(4) as pool:
        answers = [(f"person{n}", pool.submit(attempt, f"person{n}")) for n in range(60)]
        wait_until(lambda: sum(future.done() for _, future in answers) >= 10, timeout=60)
        house.kill(web)
        house.start("web")
    told = {name for name, future in answers if future.result() == 201}
    assert 10 <= len(told) < 60
    kept = {row[0] for row in house.sql("SELECT username FROM accounts_user")}
    assert told <= kept
    wait_until(lambda: {m["To"] for m in smtp.messages} == {f"{name}@example.org" for name in kept}, timeout=60)
    assert len(smtp.messages) == len(kept), "each account that was made has its one mail"
    assert call(house, "login/", {"username": min(told), "password": PASSWORD}).json()["errors"][0]["code"] == (
        "email_not_verified"
    )
