"""Invalid environments stop the start with a clear error. Each case runs in its own process."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., subprocess.CompletedProcess[str]]
GOOD = {
    "DEBUG": "false",
    "SECRET_KEY": "q8w7e6r5t4z3u2i1o0p9a8s7d6f5g4h3j2k1y0x9c8v7b6n5m4L3",
    "JWT_SIGNING_KEY": "1k2j3h4g5f6d7s8a9p0o1i2u3z4t5r6e7w8q",
    "PUBLIC_URL": "https://atrium.example.org",
    "ALLOWED_HOSTS": "atrium.example.org",
    "ATRIUM_HOME": "/nonexistent",
    "DATABASE_URL": "postgresql://atrium@127.0.0.1:1/atrium",
    "MFA_REQUIRED": "staff",
}


@pytest.fixture
def start(run_python: Start) -> Start:
    """``start("check", SECRET_KEY=None)``: run a command with the valid environment and these changes."""

    def start(*command: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        environment |= {name: value for name, value in (GOOD | changes).items() if value is not None}
        return run_python("manage.py", *(command or ("check",)), env=environment)

    return start


def test_a_valid_production_environment_passes_the_deployment_checks(start: Start) -> None:
    done = start("check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"SECRET_KEY": None}, "SECRET_KEY must be a random value"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me"}, "SECRET_KEY must be a random value"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must be a random value"),
        ({"JWT_SIGNING_KEY": None}, "JWT_SIGNING_KEY must be a random value"),
        ({"JWT_SIGNING_KEY": "secret"}, "JWT_SIGNING_KEY must be a random value"),
        ({"JWT_SIGNING_KEY": GOOD["SECRET_KEY"]}, "JWT_SIGNING_KEY must differ from SECRET_KEY"),
        ({"ENCRYPTION_KEY": "short"}, "ENCRYPTION_KEY must be a random value"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must list the host names"),
        ({"PUBLIC_URL": None}, "PUBLIC_URL must be set"),
        ({"PUBLIC_URL": "atrium.example.org"}, "PUBLIC_URL must look like"),
    ],
)
def test_production_does_not_start_with_unsafe_settings(
    start: Start, changes: dict[str, str | None], message: str
) -> None:
    done = start(**changes)
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize(
    "changes, warning",
    [
        ({"MFA_REQUIRED": None}, "Nobody needs a second factor."),
        ({"PUBLIC_URL": "https://192.0.2.1"}, "Passkeys do not work at https://192.0.2.1."),
        ({"PUBLIC_URL": "http://atrium.example.org"}, "Passkeys do not work at http://atrium.example.org."),
    ],
)
def test_the_deployment_checks_warn_of_weak_second_factors(
    start: Start, changes: dict[str, str | None], warning: str
) -> None:
    done = start("check", "--deploy", "--fail-level", "WARNING", **changes)
    assert done.returncode == 1
    assert warning in done.stderr


def test_all_errors_are_listed_at_once(start: Start) -> None:
    done = start(SECRET_KEY=None, PUBLIC_URL=None, ALLOWED_HOSTS="*")
    for name in ("SECRET_KEY", "PUBLIC_URL", "ALLOWED_HOSTS"):
        assert name in done.stderr


def test_debug_mode_needs_no_settings(start: Start) -> None:
    done = start(DEBUG="true", SECRET_KEY=None, JWT_SIGNING_KEY=None, PUBLIC_URL=None, ALLOWED_HOSTS=None)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["check", "doctor", "migrate"])
def test_a_command_without_keys_explains_what_to_do_without_a_traceback(start: Start, command: str) -> None:
    done = start(command, SECRET_KEY=None)
    assert done.returncode == 1
    assert done.stderr.startswith("Atrium cannot start: SECRET_KEY must be")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "name, value",
    [
        ("MFA_REQUIRED", "some"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRENDS_INTERVAL", "0"),
        ("TRENDS_SETTLE", "soon"),
        ("TRENDS_MAX_UPLOAD", "50MB"),
        ("WORKER_CONCURRENCY", "two"),
        ("THROTTLE_ANON", "10/fortnight"),
        ("DATABASE_URL", "mysql://user:hidden@host/db"),
        ("DATABASE_URL", "postgresql://user:hid/den@host/db"),
        ("REDIS_URL", "localhost"),
        ("REDIS_URL", "redis+sentinel://:hidden@one:26379,two:port/main/0"),
        ("REDIS_URL", "redis+sentinel://:hidden@one:26379,two:26379"),
        ("CELERY_BROKER_URL", "kafka://host"),
        ("CELERY_BROKER_URL", "sentinel://:hidden@one:26379"),
        ("EMAIL_URL", "smtp://host:port"),
        ("EVENTS_URL", "here"),
        ("SENTRY_DSN", "here"),
    ],
)
def test_an_invalid_value_is_an_error_that_names_the_variable_and_shows_no_password(
    start: Start, name: str, value: str
) -> None:
    done = start(**{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(name)
    assert done.stderr.count("\n") == 1
    assert "hid" not in done.stderr


def test_an_empty_variable_counts_as_not_set(start: Start, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("DATABASE_URL=postgresql://atrium@saved.example/atrium\n")
    code = "from django.conf import settings as s; print(s.TRENDS_INBOX, s.STATIC_ROOT, s.DATABASES['default']['HOST'])"
    empty = dict.fromkeys(("TRENDS_INBOX", "STATIC_ROOT", "DATABASE_URL", "WORKER_CONCURRENCY", "TRENDS_SETTLE"), "")
    done = start("shell", "--no-imports", "-c", code, ATRIUM_HOME=str(tmp_path), **empty)
    assert done.stdout.split() == [f"{tmp_path}/trends/inbox", f"{tmp_path}/static", "saved.example"], done.stderr


@pytest.mark.parametrize("role, variable", [("web", "WEB_THREADS"), ("events", "EVENTS_PORT")])
def test_a_process_names_the_variable_that_is_not_a_number(run_python: Start, role: str, variable: str) -> None:
    done = run_python("-m", "config.ops.processes", role, **{**GOOD, variable: "many"})
    assert done.stderr.startswith(f"{variable} must be a whole number")
    assert done.stderr.count("\n") == 1
