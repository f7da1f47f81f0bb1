"""Outages and kills of Postgres, Redis, broker and worker: nothing is lost, and everything recovers."""

import json
import re
import socket
import time
import uuid
from collections.abc import Callable

import pytest
import requests
from celery import Celery
from kombu import Connection

from ..conftest import Inbox
from ..waiting import wait_until
from .stack import Stack

LOG_LINE = re.compile(r"\d\d:\d\d:\d\d (worker|beat) +(INFO|WARNING|ERROR) ")
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"


def use_mail_server(smtp: Inbox) -> dict[str, str]:
    return {"EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}"}


def ask_for_resets(stack: Stack, people: list[str]) -> None:
    for address in people:
        answer = requests.post(f"{stack.url}/api/v1/auth/reset-password/", json={"email": address}, timeout=30)
        assert answer.status_code == 202, answer.text


def make_people(stack: Stack, count: int) -> list[str]:
    stack.sql(
        "INSERT INTO accounts_user (username, email, usercode, password, first_name, last_name, is_active, is_staff, "
        "is_superuser, date_joined, email_verified_at) "
        "SELECT 'p' || n, 'p' || n || '@example.org', "
        "upper(substr(md5(n::text), 1, 6)), '!', '', '', true, false, false, now(), now() "
        "FROM generate_series(1, %s) n",
        count,
    )
    return [row[0] for row in stack.sql("SELECT email FROM accounts_user ORDER BY id")]


@pytest.mark.slow
def test_a_worker_survives_a_kill_of_redis_and_no_mail_is_lost(build_stack: Callable[..., Stack], smtp: Inbox) -> None:
    stack = build_stack(**use_mail_server(smtp))
    stack.start("web")
    worker = stack.start("worker")
    beat = stack.start("beat")
    wait_until(stack.ready, timeout=60)
    people = make_people(stack, 40)

    ask_for_resets(stack, people[:20])
    stack.servers.kill("valkey")
    # These requests do not need Redis: they are answered, and their rows wait.
    started = time.monotonic()
    ask_for_resets(stack, people[20:])
    assert time.monotonic() - started < 5, "requests do not wait for Redis"
    assert requests.get(f"{stack.url}/readyz/", timeout=10).status_code == 503
    for role in ("worker", "beat"):
        wait_until(lambda role=role: "Connection" in stack.log(role), what=f"the outage in the log of {role}")
    stack.servers.restart("valkey")

    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60, what="every mail")
    assert worker.poll() is None, "the worker exited"
    assert beat.poll() is None, "beat exited"
    assert len(smtp.messages) == len(people), "each mail once"
    wait_until(stack.ready)
    assert "Traceback" not in stack.log("worker")
    # Beat does not contact the broker for a few seconds after a failure.
    wait_until(lambda: "outage_over" in stack.log("beat"), what="the recovery in the log of beat")
    beat_lines = stack.log("beat").splitlines()
    assert [line for line in beat_lines if not LOG_LINE.match(line)] == [], "each event is one line"
    assert [line.count("part=broker") for line in beat_lines if "outage" in line] == [1, 1], (
        "one line for the outage, one for the recovery"
    )


@pytest.mark.slow
def test_a_flushed_redis_and_killed_workers_only_delay_the_mails(
    build_stack: Callable[..., Stack], smtp: Inbox
) -> None:
    stack = build_stack(**use_mail_server(smtp))
    stack.start("web")
    people = make_people(stack, 30)
    ask_for_resets(stack, people[:15])
    stack.redis().flushall()
    worker = stack.start("worker")
    stack.start("beat")
    wait_until(lambda: smtp.messages, timeout=60)
    stack.kill(worker)
    ask_for_resets(stack, people[15:])
    stack.start("worker")
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60, what="every mail")
    # A worker that is killed between sending and committing sends that e-mail again, with a new link.
    assert len(smtp.messages) <= len(people) + 1


def test_without_postgres_requests_get_503_and_recover_within_ten_seconds_of_its_return(stack: Stack) -> None:
    stack.start("web")
    stack.start("worker")
    stack.start("beat")
    wait_until(stack.ready, timeout=60)
    stack.servers.kill("postgres")
    for path in ("/api/v1/trends/", "/readyz/"):
        answer = requests.get(f"{stack.url}{path}", timeout=20)
        assert answer.status_code == 503, f"{path}: {answer.status_code}"
        assert int(answer.headers["Retry-After"]) > 0
    login = requests.post(f"{stack.url}/api/v1/auth/login/", json={"email": "a@b.org", "password": "x"}, timeout=20)
    assert (login.status_code, login.json()["errors"][0]["code"]) == (503, "service_unavailable")
    assert requests.get(f"{stack.url}/healthz/", timeout=20).status_code == 200
    wait_until(lambda: "part=postgres" in stack.log("beat"), what="the outage in the log of beat")
    for role in ("web", "worker", "beat"):
        assert "Traceback" not in stack.log(role)
    stack.servers.restart("postgres")
    returned = time.monotonic()
    wait_until(stack.ready, timeout=10, what="readiness after the return of Postgres")
    assert requests.get(f"{stack.url}/api/v1/trends/", timeout=10).status_code == 200
    assert time.monotonic() - returned < 10
    wait_until(lambda: "outage_over" in stack.log("beat"), what="the recovery in the log of beat")
    assert stack.log("beat").count("part=postgres") == 2, "one line for the outage, one for the recovery"


def test_a_beat_that_starts_without_postgres_waits_for_it(build_stack: Callable[..., Stack], smtp: Inbox) -> None:
    stack = build_stack(**use_mail_server(smtp))
    stack.start("web")
    (person,) = make_people(stack, 1)
    ask_for_resets(stack, [person])
    stack.redis().flushall()
    stack.servers.kill("postgres")
    beat = stack.start("beat")
    stack.start("worker")
    wait_until(lambda: "part=postgres" in stack.log("beat"), timeout=60, what="the outage in the log of beat")
    stack.servers.restart("postgres")
    wait_until(lambda: smtp.messages, timeout=60, what="the e-mail that only a sweep can find")
    assert beat.poll() is None
    assert "Traceback" not in stack.log("beat")


def test_a_redis_that_refuses_writes_is_handled_as_an_outage(stack: Stack) -> None:
    stack.start("web")
    stack.start("beat")
    ann = json.loads(stack.manage("demo", "--json"))[0]
    person = {"username": ann["login"], "password": ann["password"]}
    tokens = requests.post(f"{stack.url}/api/v1/auth/login/", json=person, timeout=30).json()
    signed_in = {"Authorization": f"Bearer {tokens['access']}"}
    stack.redis().config_set("min-replicas-to-write", 1)  # the same error as with a full disk
    answer = requests.post(f"{stack.url}/api/v1/presence/", headers=signed_in, timeout=30)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert requests.get(f"{stack.url}/api/v1/notes/", headers=signed_in, timeout=30).status_code == 200
    assert requests.get(f"{stack.url}/readyz/", timeout=30).json()["checks"]["redis"] == "down"
    wait_until(lambda: "part=broker" in stack.log("beat"), what="the outage in the log of beat")
    stack.redis().config_set("min-replicas-to-write", 0)
    assert requests.post(f"{stack.url}/api/v1/presence/", headers=signed_in, timeout=30).status_code == 200
    wait_until(lambda: "outage_over" in stack.log("beat"), what="the recovery in the log of beat")
    assert "Traceback" not in stack.log("web") + stack.log("beat")


def test_a_redis_that_hangs_does_not_block_requests(stack: Stack) -> None:
    stack.start("web")
    make_people(stack, 1)
    stack.servers.freeze("valkey")
    try:
        started = time.monotonic()
        for _ in range(5):
            assert requests.get(f"{stack.url}/api/v1/trends/", timeout=30).status_code == 200
        ask_for_resets(stack, ["p1@example.org"])
        assert time.monotonic() - started < 20
    finally:
        stack.servers.thaw("valkey")


@pytest.mark.slow
def test_two_beats_and_two_workers_send_each_mail_once(build_stack: Callable[..., Stack], smtp: Inbox) -> None:
    stack = build_stack(**use_mail_server(smtp))
    stack.start("web")
    for role in ("worker", "worker", "beat", "beat"):
        stack.start(role)
    people = make_people(stack, 40)
    ask_for_resets(stack, people)
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60)
    assert len(smtp.messages) == len(people)


def test_a_message_delivered_twice_is_processed_once(build_stack: Callable[..., Stack], smtp: Inbox) -> None:
    stack = build_stack(**use_mail_server(smtp))
    stack.start("web")
    people = make_people(stack, 5)
    ask_for_resets(stack, people)
    sender = Celery(broker=stack.servers.broker_url, set_as_current=False)
    for _ in range(6):
        sender.send_task("accounts.tasks.send_links", queue="mail", task_id=uuid.uuid4().hex)
    stack.start("worker")
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60)
    queue = stack.redis().__class__.from_url(stack.servers.broker_url)
    wait_until(lambda: queue.llen("mail") == 0 and not queue.hlen("unacked"), what="an empty queue")
    assert len(smtp.messages) == len(people)


def rabbitmq_listens() -> bool:
    try:
        socket.create_connection(("127.0.0.1", 5672), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not rabbitmq_listens(), reason="no RabbitMQ listens on 127.0.0.1:5672")
def test_a_task_runs_over_rabbitmq(build_stack: Callable[..., Stack], smtp: Inbox) -> None:
    stack = build_stack(**use_mail_server(smtp), CELERY_BROKER_URL=RABBITMQ)
    stack.start("web")
    worker = stack.start("worker")
    people = make_people(stack, 3)
    ask_for_resets(stack, people)
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60, what="every mail")
    stack.kill(worker)
    with Connection(RABBITMQ) as broker:
        for name in ("mail", "imports", "default"):
            broker.default_channel.queue_delete(name)
