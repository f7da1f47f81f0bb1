"""The commands that start Atrium's processes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from config.ops import processes

# Two processes answer one request each, then one of them shows the metrics of both.
TWO_PROCESSES = """
import os, django
django.setup()
from django.test import Client
child = os.fork()
assert Client().get("/healthz/").status_code == 200
if not child:
    os._exit(0)
os.waitpid(child, 0)
print(Client().get("/metrics/").content.decode())
"""


@pytest.fixture
def own_environment(tmp_path: Path) -> Iterator[None]:
    """An environment that the test may change."""
    with mock.patch.dict(os.environ, ATRIUM_HOME=str(tmp_path), WEB_WORKERS=""):
        yield


@pytest.mark.parametrize("cores, workers", [(1, "1"), (2, "2"), (64, "4")])
def test_one_web_process_starts_per_core_and_at_most_four(
    own_environment: None, monkeypatch: pytest.MonkeyPatch, cores: int, workers: str
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    command = processes.web()
    assert command[command.index("--workers") + 1] == workers


def test_web_workers_sets_their_number(own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_WORKERS", "7")
    command = processes.web()
    assert command[command.index("--workers") + 1] == "7"


def test_the_metrics_of_an_earlier_start_are_deleted(own_environment: None) -> None:
    processes.web()
    left = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / "counter_1.db"
    left.write_bytes(b"old")
    processes.web()
    assert not left.exists()


def test_metrics_are_the_sum_of_the_web_processes(run_python: Callable, tmp_path: Path) -> None:
    done = run_python("-c", TWO_PROCESSES, PROMETHEUS_MULTIPROC_DIR=str(tmp_path), ALLOWED_HOSTS="testserver")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if 'status="200",view="healthz"' in line]
    assert line.endswith(" 2.0")


@pytest.mark.parametrize("role, has_pages", [("webhooks", False), ("worker", True)])
def test_processes_that_serve_no_pages_load_none_of_the_admin(run_python: Callable, role: str, has_pages: bool) -> None:
    code = "import django, sys; django.setup(); print('config.admin' in sys.modules, 'contacts.admin' in sys.modules)"
    loaded = run_python("-c", code, ATRIUM_PROCESS=role)
    assert loaded.stdout.split() == [str(has_pages)] * 2, loaded.stderr


def test_the_web_process_has_loaded_all_views_before_its_first_request(run_python: Callable) -> None:
    loaded = run_python("-c", "import config.http.buffering, sys; print('config.urls' in sys.modules)")
    assert loaded.stdout.strip() == "True", loaded.stderr
