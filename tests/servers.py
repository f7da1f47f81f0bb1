"""A pytest plugin: a Postgres and a Valkey of the test run's own, started before Django reads its settings.

The process that runs pytest starts them once; the processes of pytest-xdist share them, each with a database of its own
(pytest-django names it) and two Redis databases of its own. They end with the run, also one that is killed.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Iterator

import pytest

from config.embedded import Refusal, servers

_running: servers.Servers | None = None
_home: tempfile.TemporaryDirectory | None = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Before pytest-django, which reads the settings in this same hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _start()
    _take_redis_databases()
    return (yield)


def _start() -> None:
    global _running, _home
    try:
        _running = servers.start(durable=False)
    except Refusal as refusal:
        pytest.exit(str(refusal), returncode=3)
    _home = tempfile.TemporaryDirectory(prefix="atrium-tests-", ignore_cleanup_errors=True)
    for name in list(os.environ):
        if name.startswith(("AWS_", "THROTTLE_", "TRENDS_", "EMAIL_", "SENTRY_")):
            del os.environ[name]
    os.environ.update(
        DATABASE_URL=_running.database_url,
        REDIS_URL=_running.redis_url,
        CELERY_BROKER_URL=_running.broker_url,
        ATRIUM_HOME=_home.name,
        ATRIUM_PROCESS="tests",
        SECRET_KEY=secrets.token_urlsafe(48),
        JWT_SIGNING_KEY=secrets.token_urlsafe(48),
        PUBLIC_URL="http://testserver",
        EVENTS_URL="",
        ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
        DEBUG="false",
    )


def _take_redis_databases() -> None:
    """Two databases for each process: 2n and 2n+1, where the run's own process is 0 and gw0 is 1."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    number = int(worker.removeprefix("gw")) + 1 if worker else 0
    for name, database in (("REDIS_URL", 2 * number), ("CELERY_BROKER_URL", 2 * number + 1)):
        os.environ[name] = re.sub(r"/\d+$", f"/{database}", os.environ[name])


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    if _running:
        _running.stop()
    if _home:
        _home.cleanup()
