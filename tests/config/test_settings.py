"""What Atrium refuses to start with, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = {
    "DEBUG": "false",
    "SECRET_KEY": "q8w7e6r5t4z3u2i1o0p9a8s7d6f5g4h3j2k1y0x9c8v7b6n5m4L3",
    "JWT_SIGNING_KEY": "1k2j3h4g5f6d7s8a9p0o1i2u3z4t5r6e7w8q",
    "PUBLIC_URL": "https://atrium.example.org",
    "ALLOWED_HOSTS": "atrium.example.org",
    "ATRIUM_HOME": "/nonexistent",
    "DATABASE_URL": "postgresql://atrium@127.0.0.1:1/atrium",
}


def start(*command, **changes):
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environment |= {name: value for name, value in (GOOD | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "manage.py", *(command or ("check",))],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_production_that_is_set_up_starts_and_passes_the_deployment_checks():
    done = start("check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"SECRET_KEY": None}, "SECRET_KEY must be a random value"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me"}, "SECRET_KEY must be a random value"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must be a random value"),
        ({"JWT_SIGNING_KEY": None}, "JWT_SIGNING_KEY must be a random value"),
        ({"JWT_SIGNING_KEY": "secret"}, "JWT_SIGNING_KEY must be a random value"),
        ({"JWT_SIGNING_KEY": GOOD["SECRET_KEY"]}, "JWT_SIGNING_KEY must differ from SECRET_KEY"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name this site's hosts"),
        ({"PUBLIC_URL": None}, "PUBLIC_URL must be set"),
        ({"PUBLIC_URL": "atrium.example.org"}, "PUBLIC_URL must look like"),
    ],
)
def test_production_refuses_to_start(changes, said):
    done = start(**changes)
    assert done.returncode != 0
    assert said in done.stderr


def test_every_fault_is_named_at_once():
    done = start(SECRET_KEY=None, PUBLIC_URL=None, ALLOWED_HOSTS="*")
    for said in ("SECRET_KEY", "PUBLIC_URL", "ALLOWED_HOSTS"):
        assert said in done.stderr


def test_debugging_needs_no_settings():
    done = start(DEBUG="true", SECRET_KEY=None, JWT_SIGNING_KEY=None, PUBLIC_URL=None, ALLOWED_HOSTS=None)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["check", "doctor", "migrate"])
def test_a_command_without_keys_says_what_to_do_and_shows_no_code(command):
    done = start(command, SECRET_KEY=None)
    assert done.returncode == 1
    assert done.stderr.startswith("Atrium does not start like this: SECRET_KEY must be")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "name, value",
    [
        ("TRUSTED_PROXIES", "-1"),
        ("TRENDS_INTERVAL", "0"),
        ("TRENDS_SETTLE", "soon"),
        ("TRENDS_MAX_UPLOAD", "50MB"),
        ("WORKER_CONCURRENCY", "two"),
        ("THROTTLE_ANON", "10/fortnight"),
        ("DATABASE_URL", "mysql://user:hidden@host/db"),
        ("DATABASE_URL", "postgresql://user:hid/den@host/db"),
        ("REDIS_URL", "localhost"),
        ("CELERY_BROKER_URL", "kafka://host"),
        ("EMAIL_URL", "smtp://host:port"),
        ("EVENTS_URL", "here"),
        ("SENTRY_DSN", "here"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_a_sentence_that_names_it_and_no_password(name, value):
    done = start(**{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(name)
    assert done.stderr.count("\n") == 1
    assert "hid" not in done.stderr


def test_a_variable_set_to_nothing_is_not_set(tmp_path):
    (tmp_path / "env").write_text("DATABASE_URL=postgresql://atrium@kept.example/atrium\n")
    asked = (
        "from django.conf import settings as s; print(s.TRENDS_INBOX, s.STATIC_ROOT, s.DATABASES['default']['HOST'])"
    )
    empty = dict.fromkeys(("TRENDS_INBOX", "STATIC_ROOT", "DATABASE_URL", "WORKER_CONCURRENCY", "TRENDS_SETTLE"), "")
    done = start("shell", "--no-imports", "-c", asked, ATRIUM_HOME=str(tmp_path), **empty)
    assert done.stdout.split() == [f"{tmp_path}/trends/inbox", f"{tmp_path}/static", "kept.example"], done.stderr


@pytest.mark.parametrize("role, variable", [("web", "WEB_THREADS"), ("events", "EVENTS_PORT")])
def test_a_process_says_which_number_is_none(role, variable):
    environment = {**os.environ, **GOOD, variable: "many"}
    done = subprocess.run(
        [sys.executable, "-m", "config.processes", role], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr.startswith(f"{variable} must be a whole number")
    assert done.stderr.count("\n") == 1
