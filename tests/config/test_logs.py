"""Log lines contain the process and the request id, and no secrets."""

import contextlib
import errno
import json
import logging
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kombu.exceptions
import pytest
import redis.exceptions
import requests
from celery.beat import SchedulingError
from django.db import OperationalError

from accounts.services import registration
from config import logs

from ..conftest import Client
from ..factories import UserFactory
from ..places import ROOT, free_port
from ..waiting import wait_until

RunPython = Callable[..., subprocess.CompletedProcess[str]]

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJlc2lnbmF0dXJl"


def cleaned(**event: Any) -> Any:
    return logs.mask_secrets(None, "", dict(event))


@pytest.mark.parametrize(
    "name", ["password", "new_password", "Authorization", "refresh", "access", "cookie", "aws_secret"]
)
def test_values_with_the_name_of_a_secret_are_masked(name: str) -> None:
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
        "invalid token 'atr_s3cretvalue'",
        "/api/v1/notes/?a=1&token=atr_s3cretvalue&b=2",
        "/login/?next=%2Fnotes%2F%3Ftoken%3Datr_s3cretvalue",
        "?token=%61%74r%5fs3cretvalue",
        "?next=%252F%253Ftoken%253D%2561tr_s3cretvalue",
    ],
)
def test_secrets_inside_a_text_are_masked(text: str) -> None:
    masked = cleaned(event=text)["event"]
    assert "***" in masked
    for secret in ("s3cretvalue", "Zk3J9sX0aBcDeFgHiJkLmN", "c2lnbmF0dXJl"):
        assert secret not in masked


def test_secrets_in_an_error_report_are_masked_in_every_place() -> None:
    report = {
        "request": {"url": "https://atrium.example.org/", "query_string": "a=1&token=%61tr_s3cretvalue"},
        "exception": {"values": [{"value": "bad atr_s3cretvalue", "stacktrace": {"frames": [
            {"vars": {"request": "<GET '/?t=atr_s3cretvalue'>", "query": {"t": ["'atr_s3cretvalue'"]}, "line": 7}},
        ]}}]},
        "breadcrumbs": {"values": [{"message": "GET /v/s3cretvalue/"}]},
        "extra": {"password": "s3cretvalue"},
    }  # fmt: skip
    masked = logs.mask_report(report, {})
    assert "s3cretvalue" not in json.dumps(masked)
    assert masked["request"]["query_string"] == "a=1&token=atr_***"
    assert masked["exception"]["values"][0]["stacktrace"]["frames"][0]["vars"]["line"] == 7


def test_an_error_report_that_is_sent_holds_no_token(run_python: RunPython) -> None:
    """Sentry gets a report with the variables of the traceback."""
    code = """
import django
django.setup()
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
class Printed(Transport):
    def capture_envelope(self, envelope: Envelope) -> None:
        print(envelope.serialize().decode())
sentry_sdk.get_client().transport = Printed()
def fail() -> None:
    query = {"token": ["atr_s3cretvalue"], "other": "?x=atr_s3cretvalue"}
    raise ValueError("refused atr_s3cretvalue")
try:
    fail()
except ValueError:
    sentry_sdk.capture_exception()
"""
    done = run_python("-c", code, SENTRY_DSN="http://key@127.0.0.1:9/1", DJANGO_SETTINGS_MODULE="config.settings")
    assert done.returncode == 0, done.stderr
    assert "refused atr_***" in done.stdout
    assert "?x=atr_***" in done.stdout
    assert "s3cretvalue" not in done.stdout.replace(json.dumps(code)[1:-1], "")


def test_the_front_process_masks_the_address_of_a_request_in_its_log(
    start_process: Callable[..., subprocess.Popen], tmp_path: Path
) -> None:
    port = free_port()
    # It logs errors only, which cannot be provoked; warnings have the same format.
    configuration = tmp_path / "Caddyfile"
    configuration.write_text((ROOT / "config/ops/Caddyfile").read_text().replace("level ERROR", "level WARN"))
    code = (
        "import os; from config.ops.processes import front; command = front(); "
        f"command[command.index('--config') + 1] = {str(configuration)!r}; os.execv(command[0], command)"
    )
    with socketserver.TCPServer(("127.0.0.1", 0), CutResponse) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        start_process("-c", code, PORT=str(port), WEB_PORT=str(web.server_address[1]))

        def line() -> str | None:
            with contextlib.suppress(requests.RequestException):
                requests.get(f"http://127.0.0.1:{port}/v/s3cret/?token=atr_s3cret", timeout=20)
            lines = (tmp_path / "process-0.log").read_text().splitlines()
            return next((line for line in lines if "incomplete response" in line), None)

        logged = wait_until(line, what="a log line")
        web.shutdown()
    assert '"uri":"/v/***"' in logged
    assert "s3cret" not in logged


class CutResponse(socketserver.StreamRequestHandler):
    """Announces a longer body than it sends."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")


def test_other_values_are_unchanged() -> None:
    assert cleaned(event="request_finished", path="/api/v1/notes/3/", count=4) == {
        "event": "request_finished", "path": "/api/v1/notes/3/", "count": 4,
    }  # fmt: skip


def log_line(run_python: RunPython, log_format: str) -> str:
    code = "import django; django.setup(); import structlog; structlog.get_logger('x').info('hello', number=3)"
    variables = {"LOG_FORMAT": log_format, "ATRIUM_PROCESS": "worker", "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = run_python("-c", code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_json_lines_contain_the_process(run_python: RunPython) -> None:
    line = json.loads(log_line(run_python, "json"))
    assert line | {"timestamp": ""} == {
        "timestamp": "", "process": "worker", "level": "info", "logger": "x", "event": "hello", "number": 3,
    }  # fmt: skip


def test_console_lines_begin_with_time_and_process(run_python: RunPython) -> None:
    words = log_line(run_python, "console").split()
    assert words[1:3] == ["worker", "INFO"]
    assert "hello" in words
    assert "number=3" in words


def test_a_request_in_an_outage_logs_two_lines_without_a_traceback(
    api: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(registration, "register", away)
    caplog.set_level(logging.INFO)
    body = {"email": "ada@example.org", "username": "ada", "password": "correct horse battery"}
    assert api.post("/api/v1/auth/register/", body).status_code == 503
    logged = [(line.msg["event"], line.msg.get("code")) for line in caplog.records if isinstance(line.msg, dict)]
    assert logged == [("outage", None), ("request_finished", 503)]
    assert not [line for line in caplog.records if line.exc_info]


def test_another_fault_during_an_outage_keeps_its_traceback() -> None:
    fault = KeyError("a bug")
    fault.__context__ = redis.exceptions.ConnectionError("gone")
    assert record_of("celery.app.trace", fault, "Task failed").exc_info[1] is fault


def record_of(logger: str, error: BaseException, message: str = "Task failed:\n%s", *args: Any) -> Any:
    try:
        raise error
    except type(error):
        record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, args, sys.exc_info())
    assert logs.OutageFilter().filter(record)
    return record


def test_an_outage_of_the_broker_is_one_line_whatever_wraps_it() -> None:
    for error in (
        redis.exceptions.ConnectionError("gone"),
        kombu.exceptions.OperationalError("gone"),
        OSError("Server unexpectedly closed connection"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
    ):
        assert (
            record_of("celery.worker.consumer", error, "Lost.").getMessage() == f"Lost. {type(error).__name__}: {error}"
        )
    wrapped = SchedulingError("Could not send x: gone")
    wrapped.__context__ = ConnectionResetError(104, "gone")
    record = record_of("celery.beat", wrapped, "Message Error: %s\n%s", wrapped, ["File x", "File y"])
    assert (record.getMessage(), record.exc_info) == ("Message Error: Could not send x: gone", None)


@pytest.mark.parametrize(
    "logger, error",
    [
        ("celery.app.trace", KeyError("a bug")),
        ("celery.app.trace", OSError(errno.ENOSPC, "No space left on device")),
        ("accounts", redis.exceptions.ConnectionError("gone")),
    ],
)
def test_any_other_error_keeps_its_traceback(logger: str, error: Exception) -> None:
    record = record_of(logger, error, "Task failed:\n%s", "lines")
    assert (record.getMessage(), record.exc_info[1]) == ("Task failed:\nlines", error)


@pytest.mark.django_db
class TestRequestID:
    def test_a_valid_id_is_used(self, api: Client) -> None:
        assert api.get("/healthz/", headers={"X-Request-ID": "abc-123"})["X-Request-ID"] == "abc-123"

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "läuft", "a\tb"])
    def test_an_invalid_id_is_replaced(self, api: Client, given: str) -> None:
        answered = api.get("/healthz/", headers={"X-Request-ID": given})["X-Request-ID"]
        assert answered != given
        assert logs.SANE_ID.fullmatch(answered)

    def test_the_request_line_contains_the_id_and_no_query_string(
        self, api: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            api.get("/robots.txt?password=hunter2", headers={"X-Request-ID": "abc-123"})
        lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
        finished = [line for line in lines if line["event"] == "request_finished"]
        assert [(line["request_id"], line["request"]) for line in finished] == [("abc-123", "GET /robots.txt")]
        assert "hunter2" not in caplog.text


def test_the_lines_of_a_task_contain_the_id_of_the_request_that_sent_it(
    worker: subprocess.Popen, api: Client, tmp_path: Path
) -> None:
    user = UserFactory()
    api.post("/api/v1/auth/reset-password/", {"email": user.email}, headers={"X-Request-ID": "abc-123"})

    def line() -> str | None:
        lines = (tmp_path / "process-0.log").read_text().splitlines()
        return next((line for line in lines if "mail_written" in line), None)

    assert "request_id=abc-123" in wait_until(line)
