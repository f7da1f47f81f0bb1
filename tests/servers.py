"""A pytest plugin: start a private Postgres and Valkey before Django reads its settings, and choose the tests.

The main process starts the servers once. The processes of pytest-xdist share them; each has its own database, named by
pytest-django, and two Redis databases. The servers end with the run, even if it is killed. ``tests/run.py`` may pass
running servers in ATRIUM_TEST_SERVERS instead.
"""

import gc
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.ops.launcher import StartError

from . import private_servers

# Tests that start processes, browsers or servers, and those that call every route (tests/api) take most of the time;
# --quick leaves them out, and those that are marked thorough.
SLOW_FOLDERS = {"api", "browser", "clients", "e2e", "events", "faults", "launcher", "oidc", "upgrade"}
SLOW_FIXTURES = {
    "run_python", "start_process", "start_worker", "worker", "s3_server", "s3", "events_process", "live_server",
    "transactional_db", "imported",
}  # fmt: skip

_servers: private_servers.Servers | None = None
_home: tempfile.TemporaryDirectory | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("atrium")
    group.addoption(
        "--quick",
        action="store_true",
        help="leave out tests that commit, start processes, servers or browsers, or are marked thorough, and tests/api",
    )
    group.addoption("--all", action="store_true", dest="all_tests", help="run the tests marked slow, too")


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Three processes for two processors: tests with other processes or a browser wait part of the time."""
    if config.getoption("quick") or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + processors // 2


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("all_tests"):
        return "tests: all"
    if config.getoption("quick"):
        return "tests: quick ones only; without --quick those with commits, processes, browsers and much data run too"
    return "tests: all except those marked slow; --all runs these too, --quick fewer"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what ``--quick`` leaves out."""
    return True if config.getoption("quick") and _in_slow_folder(collection_path, config) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {item for item in items if _is_left_out(item, config)}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    # Slow files first: otherwise one process works on the last of them while the others have nothing to do.
    items.sort(key=lambda item: not _in_slow_folder(item.path, config))


def _in_slow_folder(path: Path, config: pytest.Config) -> bool:
    return any(path.is_relative_to(config.rootpath / "tests" / folder) for folder in SLOW_FOLDERS)


def _is_left_out(item: pytest.Item, config: pytest.Config) -> bool:
    if config.getoption("quick"):
        fixtures = set(getattr(item, "fixturenames", ()))
        database = item.get_closest_marker("django_db")
        transactional = database is not None and database.kwargs.get("transaction", False)
        thorough = item.get_closest_marker("thorough") is not None
        if fixtures & SLOW_FIXTURES or transactional or thorough:
            return True
    named = any("::" in argument for argument in config.args)
    return item.get_closest_marker("slow") is not None and not config.getoption("all_tests") and not named


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep the garbage collector from visiting all modules and tests again and again: they live until the end."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Let property tests that do not set a number try 20 examples, not 100, with ``--quick``."""
    if config.getoption("quick") and config.pluginmanager.hasplugin("hypothesispytest"):
        import hypothesis

        hypothesis.settings.register_profile("quick", hypothesis.settings(), max_examples=20)
        hypothesis.settings.load_profile("quick")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Run before pytest-django, which reads the settings in this hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _start()
    _choose_redis_databases()
    return (yield)


def _start() -> None:
    global _servers, _home
    try:
        if given := os.environ.get("ATRIUM_TEST_SERVERS"):
            urls = json.loads(given)
        else:
            _servers = private_servers.start(durable=False)
            urls = _servers.urls()
    except StartError as error:
        pytest.exit(str(error), returncode=3)
    _home = tempfile.TemporaryDirectory(prefix="atrium-tests-", ignore_cleanup_errors=True)
    for name in list(os.environ):
        if name.startswith(("AWS_", "THROTTLE_", "TRENDS_", "EMAIL_", "SENTRY_")):
            del os.environ[name]
    os.environ.update(
        DATABASE_URL=urls["database_url"],
        REDIS_URL=urls["redis_url"],
        CELERY_BROKER_URL=urls["broker_url"],
        ATRIUM_HOME=_home.name,
        ATRIUM_PROCESS="tests",
        SECRET_KEY=secrets.token_urlsafe(48),
        JWT_SIGNING_KEY=secrets.token_urlsafe(48),
        ENCRYPTION_KEY=secrets.token_urlsafe(48),
        MFA_REQUIRED="",
        PUBLIC_URL="http://testserver",
        EVENTS_URL="",
        ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
        DEBUG="false",
    )


def _choose_redis_databases() -> None:
    """Give each process the databases 2n and 2n+1; the main process is 0 and gw0 is 1."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    number = int(worker.removeprefix("gw")) + 1 if worker else 0
    for name, database in (("REDIS_URL", 2 * number), ("CELERY_BROKER_URL", 2 * number + 1)):
        os.environ[name] = re.sub(r"/\d+$", f"/{database}", os.environ[name])


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    if _servers:
        _servers.stop()
    if _home:
        _home.cleanup()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the database for the next run of ``tests/run.py``, unless a fixture failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (unfinished := os.environ.get("ATRIUM_TEST_UNFINISHED")) and reporter and not reporter.stats.get("error"):
        Path(unfinished).unlink(missing_ok=True)
