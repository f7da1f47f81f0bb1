"""Postgres, Redis, worker and broker taken away in the midst of things: nothing is lost, and all of it comes back."""

import json
import re
import signal
import socket
import time
import uuid

import pytest
import requests
from celery import Celery
from kombu import Connection

from ..conftest import Inbox
from ..waiting import wait_until
from .house import House

LOG_LINE = re.compile(r"\d\d:\d\d:\d\d (worker|beat) +(INFO|WARNING|ERROR) ")
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"


def use_mail_server(smtp: Inbox) -> dict[str, str]:
    return {"EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}"}


def ask_for_resets(house: House, people: list[str]) -> None:
    for address in people:
        answer = requests.post(f"{house.url}/api/v1/auth/reset-password/", json={"email": address}, timeout=30)
        assert answer.status_code == 202, answer.text


def make_people(house: House, count: int) -> list[str]:
    house.sql(
        "INSERT INTO accounts_user (username, email, usercode, password, first_name, last_name, is_active, is_staff, "
        "is_superuser, date_joined, email_verified_at) "
        "SELECT 'p' || n, 'p' || n || '@example.org', "
        "upper(substr(md5(n::text), 1, 6)), '!', '', '', true, false, false, now(), now() "
        "FROM generate_series(1, %s) n",
        count,
    )
    return [row[0] for row in house.sql("SELECT email FROM accounts_user ORDER BY id")]


@pytest.mark.timeout(240)
def test_redis_killed_under_a_busy_worker_costs_neither_the_worker_nor_a_mail(build_house, smtp: Inbox):
    house = build_house(**use_mail_server(smtp))
    house.start("web")
    worker = house.start("worker")
    beat = house.start("beat")
    wait_until(house.ready, timeout=60)
    people = make_people(house, 40)

    ask_for_resets(house, people[:20])
    house.servers.kill("valkey")
    # Nothing of this needs Redis: it is answered, and its rows wait.
    started = time.monotonic()
    ask_for_resets(house, people[20:])
    assert time.monotonic() - started < 5, "nor does it wait for Redis"
    assert requests.get(f"{house.url}/readyz/", timeout=10).status_code == 503
    for role in ("worker", "beat"):
        wait_until(lambda role=role: "Connection" in house.log(role), timeout=30, what=f"{role} noticing it")
    house.servers.revive("valkey")

    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60, what="every mail")
    assert worker.poll() is None, "the worker survived"
    assert beat.poll() is None, "beat survived"
    assert len(smtp.messages) == len(people), "each mail once"
    wait_until(house.ready, timeout=30)
    assert "Traceback" not in house.log("worker")
    # Beat lets the broker rest for a few seconds before it asks again.
    wait_until(lambda: "outage_over" in house.log("beat"), timeout=30, what="beat saying that the broker is back")
    beat_said = house.log("beat").splitlines()
    assert [line for line in beat_said if not LOG_LINE.match(line)] == [], "each event is one line"
    assert [line.count("part=broker") for line in beat_said if "outage" in line] == [1, 1], "gone, and back"


@pytest.mark.timeout(240)
def test_a_flushed_redis_and_killed_workers_change_nothing_but_the_delay(build_house, smtp: Inbox):
    house = build_house(**use_mail_server(smtp))
    house.start("web")
    people = make_people(house, 30)
    ask_for_resets(house, people[:15])
    house.redis().flushall()
    worker = house.start("worker")
    house.start("beat")
    wait_until(lambda: smtp.messages, timeout=60)
    house.kill(worker)
    ask_for_resets(house, people[15:])
    house.start("worker")
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60, what="every mail")
    # A worker that dies between sending and marking sends that one mail again, with a new link.
    assert len(smtp.messages) <= len(people) + 1


@pytest.mark.timeout(240)
def test_while_postgres_is_away_it_is_503_and_within_ten_seconds_of_its_return_all_is_well(house: House):
    house.start("web")
    house.start("worker")
    house.start("beat")
    wait_until(house.ready, timeout=60)
    house.servers.kill("postgres")
    for path in ("/api/v1/trends/", "/readyz/"):
        answer = requests.get(f"{house.url}{path}", timeout=20)
        assert answer.status_code == 503, f"{path}: {answer.status_code}"
        assert int(answer.headers["Retry-After"]) > 0
    login = requests.post(f"{house.url}/api/v1/auth/login/", json={"email": "a@b.org", "password": "x"}, timeout=20)
    assert (login.status_code, login.json()["errors"][0]["code"]) == (503, "service_unavailable")
    assert requests.get(f"{house.url}/healthz/", timeout=20).status_code == 200
    wait_until(lambda: "part=postgres" in house.log("beat"), timeout=30, what="beat noticing it")
    for role in ("web", "worker", "beat"):
        assert "Traceback" not in house.log(role)
    house.servers.revive("postgres")
    returned = time.monotonic()
    wait_until(house.ready, timeout=10, what="readiness after Postgres' return")
    assert requests.get(f"{house.url}/api/v1/trends/", timeout=10).status_code == 200
    assert time.monotonic() - returned < 10
    wait_until(lambda: "outage_over" in house.log("beat"), timeout=30, what="beat going on")
    assert house.log("beat").count("part=postgres") == 2, "gone, and back"


@pytest.mark.timeout(240)
def test_a_beat_that_starts_while_postgres_is_away_begins_when_it_is_back(build_house, smtp: Inbox):
    house = build_house(**use_mail_server(smtp))
    house.start("web")
    (person,) = make_people(house, 1)
    ask_for_resets(house, [person])
    house.redis().flushall()
    house.servers.kill("postgres")
    beat = house.start("beat")
    house.start("worker")
    wait_until(lambda: "part=postgres" in house.log("beat"), timeout=60, what="beat asking")
    house.servers.revive("postgres")
    wait_until(lambda: smtp.messages, timeout=60, what="the mail that only beat's sweep could find")
    assert beat.poll() is None
    assert "Traceback" not in house.log("beat")


@pytest.mark.timeout(240)
def test_a_redis_that_refuses_to_write_is_an_outage_like_any_other(house: House):
    house.start("web")
    house.start("beat")
    ann = json.loads(house.manage("demo", "--json"))[0]
    person = {"username": ann["login"], "password": ann["password"]}
    tokens = requests.post(f"{house.url}/api/v1/auth/login/", json=person, timeout=30).json()
    signed_in = {"Authorization": f"Bearer {tokens['access']}"}
    house.redis().config_set("min-replicas-to-write", 1)  # which it then says in the same way as that its disk is full
    answer = requests.post(f"{house.url}/api/v1/presence/", headers=signed_in, timeout=30)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert requests.get(f"{house.url}/api/v1/notes/", headers=signed_in, timeout=30).status_code == 200
    assert requests.get(f"{house.url}/readyz/", timeout=30).json()["checks"]["redis"] == "down"
    wait_until(lambda: "part=broker" in house.log("beat"), timeout=30, what="beat noticing it")
    house.redis().config_set("min-replicas-to-write", 0)
    assert requests.post(f"{house.url}/api/v1/presence/", headers=signed_in, timeout=30).status_code == 200
    wait_until(lambda: "outage_over" in house.log("beat"), timeout=30, what="beat going on")
    assert "Traceback" not in house.log("web") + house.log("beat")


@pytest.mark.timeout(240)
def test_a_redis_that_hangs_does_not_hold_requests(house: House):
    house.start("web")
    make_people(house, 1)
    house.servers.freeze("valkey")
    try:
        started = time.monotonic()
        for _ in range(5):
            assert requests.get(f"{house.url}/api/v1/trends/", timeout=30).status_code == 200
        ask_for_resets(house, ["p1@example.org"])
        assert time.monotonic() - started < 20
    finally:
        house.servers.thaw("valkey")


@pytest.mark.timeout(240)
def test_two_beats_and_two_workers_send_each_mail_once(build_house, smtp: Inbox):
    house = build_house(**use_mail_server(smtp))
    house.start("web")
    for role in ("worker", "worker", "beat", "beat"):
        house.start(role)
    people = make_people(house, 40)
    ask_for_resets(house, people)
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60)
    assert len(smtp.messages) == len(people)


@pytest.mark.timeout(240)
def test_a_message_delivered_twice_does_its_work_once(build_house, smtp: Inbox):
    house = build_house(**use_mail_server(smtp))
    house.start("web")
    people = make_people(house, 5)
    ask_for_resets(house, people)
    sender = Celery(broker=house.servers.broker_url)
    for _ in range(6):
        sender.send_task("accounts.tasks.send_links", queue="mail", task_id=uuid.uuid4().hex)
    house.start("worker")
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60)
    queue = house.redis().__class__.from_url(house.servers.broker_url)
    wait_until(lambda: queue.llen("mail") == 0 and not queue.hlen("unacked"), timeout=30, what="an empty queue")
    assert len(smtp.messages) == len(people)


def rabbitmq_listens() -> bool:
    try:
        socket.create_connection(("127.0.0.1", 5672), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not rabbitmq_listens(), reason="no RabbitMQ listens on 127.0.0.1:5672")
@pytest.mark.timeout(240)
def test_a_real_task_runs_over_rabbitmq(build_house, smtp: Inbox):
    house = build_house(**use_mail_server(smtp), CELERY_BROKER_URL=RABBITMQ)
    house.start("web")
    worker = house.start("worker")
    people = make_people(house, 3)
    ask_for_resets(house, people)
    wait_until(lambda: {m["To"] for m in smtp.messages} == set(people), timeout=60, what="every mail")
    worker.send_signal(signal.SIGTERM)
    worker.wait(30)
    with Connection(RABBITMQ) as broker:
        for name in ("mail", "imports", "default"):
            broker.default_channel.queue_delete(name)
