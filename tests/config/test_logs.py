"""Log lines: they name the process and the request, and hold no secret."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import kombu.exceptions
import pytest
import redis.exceptions
from celery.beat import SchedulingError
from django.db import OperationalError

from accounts.services import registration
from config import logs

from ..factories import UserFactory

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJlc2lnbmF0dXJl"


def cleaned(**event):
    return logs.hide_secrets(None, "", dict(event))


@pytest.mark.parametrize(
    "name", ["password", "new_password", "Authorization", "refresh", "access", "cookie", "aws_secret"]
)
def test_what_is_named_like_a_secret_is_blanked(name):
    assert cleaned(**{name: "hunter2"})[name] == "***"


@pytest.mark.parametrize(
    "text",
    [
        f"refused {JWT} today",
        "GET /v/Zk3J9sX0aBcDeFgHiJkLmN/ 200",
        "GET /r/Zk3J9sX0aBcDeFgHiJkLmN/",
        "could not reach redis://:s3cretvalue@cache:6379/0",
        "postgresql://atrium:s3cretvalue@db/atrium",
        "GET /e/?ticket=Zk3J9sX0aBcDeFgHiJkLmN",
    ],
)
def test_what_gives_access_is_masked_wherever_it_stands(text):
    said = cleaned(event=text)["event"]
    assert "***" in said
    for secret in ("s3cretvalue", "Zk3J9sX0aBcDeFgHiJkLmN", "c2lnbmF0dXJl"):
        assert secret not in said


def test_ordinary_text_stays():
    assert cleaned(event="request_finished", path="/api/v1/notes/3/", count=4) == {
        "event": "request_finished", "path": "/api/v1/notes/3/", "count": 4,
    }  # fmt: skip


def log_line(log_format: str) -> str:
    code = "import django; django.setup(); import structlog; structlog.get_logger('x').info('hello', number=3)"
    environment = {"LOG_FORMAT": log_format, "ATRIUM_PROCESS": "worker", "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_json_lines_are_json_with_the_process_named():
    line = json.loads(log_line("json"))
    assert line | {"timestamp": ""} == {
        "timestamp": "", "process": "worker", "level": "info", "logger": "x", "event": "hello", "number": 3,
    }  # fmt: skip


def test_console_lines_begin_with_time_and_process():
    words = log_line("console").split()
    assert words[1:3] == ["worker", "INFO"]
    assert "hello" in words
    assert "number=3" in words


def test_a_request_that_met_an_outage_is_two_lines_without_a_traceback(api, caplog, monkeypatch):
    def away(*_, **__):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(registration, "register", away)
    caplog.set_level(logging.INFO)
    body = {"email": "ada@example.org", "username": "ada", "password": "correct horse battery"}
    assert api.post("/api/v1/auth/register/", body).status_code == 503
    said = [(line.msg["event"], line.msg.get("code")) for line in caplog.records if isinstance(line.msg, dict)]
    assert said == [("outage", None), ("request_finished", 503)]
    assert not [line for line in caplog.records if line.exc_info]


def test_a_fault_met_while_something_is_away_is_told_with_its_place():
    fault = KeyError("a fault of ours")
    fault.__context__ = redis.exceptions.ConnectionError("gone")
    assert record_of("celery.app.trace", fault, "Task failed").exc_info[1] is fault


def record_of(logger, error, message="Task failed:\n%s", *args):
    try:
        raise error
    except type(error):
        record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, args, sys.exc_info())
    assert logs.PlainOutages().filter(record)
    return record


def test_an_outage_of_the_broker_is_one_line_whatever_wraps_it():
    for error in (redis.exceptions.ConnectionError("gone"), kombu.exceptions.OperationalError("gone")):
        assert record_of("celery.worker.consumer", error, "Lost.").getMessage() == f"Lost. {type(error).__name__}: gone"
    wrapped = SchedulingError("Could not send x: gone")
    wrapped.__context__ = ConnectionResetError(104, "gone")
    record = record_of("celery.beat", wrapped, "Message Error: %s\n%s", wrapped, ["File x", "File y"])
    assert (record.getMessage(), record.exc_info) == ("Message Error: Could not send x: gone", None)


@pytest.mark.parametrize(
    "logger, error",
    [("celery.app.trace", KeyError("a fault of ours")), ("accounts", redis.exceptions.ConnectionError("gone"))],
)
def test_any_other_error_keeps_its_traceback(logger, error):
    record = record_of(logger, error, "Task failed:\n%s", "lines")
    assert (record.getMessage(), record.exc_info[1]) == ("Task failed:\nlines", error)


@pytest.mark.django_db
class TestRequestID:
    def test_a_sane_one_is_kept(self, api):
        assert api.get("/healthz/", headers={"X-Request-ID": "abc-123"})["X-Request-ID"] == "abc-123"

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "läuft", "a\tb"])
    def test_any_other_is_replaced(self, api, given):
        answered = api.get("/healthz/", headers={"X-Request-ID": given})["X-Request-ID"]
        assert answered != given
        assert logs.SANE_ID.fullmatch(answered)

    def test_it_stands_in_the_request_s_log_line_without_the_query_string(self, api, caplog):
        with caplog.at_level(logging.INFO):
            api.get("/robots.txt?password=hunter2", headers={"X-Request-ID": "abc-123"})
        lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
        finished = [line for line in lines if line["event"] == "request_finished"]
        assert [(line["request_id"], line["request"]) for line in finished] == [("abc-123", "GET /robots.txt")]
        assert "hunter2" not in caplog.text


def test_it_stands_in_the_lines_of_the_task_that_the_request_caused(worker, api, wait_until, tmp_path):
    user = UserFactory()
    api.post("/api/v1/auth/reset-password/", {"email": user.email}, headers={"X-Request-ID": "abc-123"})

    def line():
        said = (tmp_path / "process-0.log").read_text().splitlines()
        return next((line for line in said if "mail_written" in line), None)

    assert "request_id=abc-123" in wait_until(line)
