"""``bin/up`` keeps everything running and leaves no process behind, whichever process is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
import requests

from config.ops.launcher import orphans

from ..e2e.product import Product
from ..places import ROOT
from ..waiting import wait_until


def called(product: Product, *words: str) -> list[psutil.Process]:
    """Return the product's processes whose command line contains all ``words``."""
    found = []
    for process in product.processes():
        with contextlib.suppress(psutil.Error):
            if all(word in " ".join(process.cmdline()) for word in words):
                found.append(process)
    return found


def log(product: Product) -> str:
    return product.log.read_text(errors="replace")


def kill_and_wait(product: Product, name: str, which: Callable[[], list[psutil.Process]]) -> None:
    """Kill the first of ``which``; wait for the report, for a new process and for readiness."""
    victim = which()[0]
    position = len(log(product))
    victim.kill()
    wait_until(lambda: f"{name} ended unexpectedly" in log(product)[position:])
    wait_until(lambda: which() and victim not in which(), what=f"a new {name}")
    wait_until(product.ready_or_ended, timeout=60, what="a product that is ready again")


@pytest.mark.slow
def test_killed_processes_are_restarted_and_all_end_with_up(product: Product) -> None:
    product.start()
    orphan = called(product, "granian asginl", "worker-1")[0]
    kill_and_wait(
        product, "web", lambda: [process for process in called(product, "granian asginl") if process != orphan]
    )
    wait_until(lambda: not orphan.is_running(), what="the orphaned web process ends")
    kill_and_wait(product, "valkey", lambda: called(product, "valkey-server"))
    kill_and_wait(product, "postgres", lambda: called(product, "postgres", "-D"))

    # The supervisor itself.
    before = {process.pid for process in orphans.find(product.home)}
    (supervisor,) = called(product, "config.ops.launcher.supervision")
    supervisor.kill()
    wait_until(lambda: "The supervisor was killed" in log(product))
    wait_until(lambda: log(product).count("Atrium is ready") == 2, timeout=120, what="a second start")
    assert not before & {process.pid for process in orphans.find(product.home)}

    # When up is killed, the others end, and the next start finds the same keys.
    keys = (product.home / "env").read_text()
    assert product.process
    product.process.kill()
    product.process.wait()
    wait_until(lambda: not product.processes(), timeout=25, what="no process left")
    product.start()
    assert (product.home / "env").read_text() == keys

    # Another terminal finds the servers. Other users cannot read their addresses.
    shown = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        cwd=ROOT, env=product.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    for path in [product.home, *product.home.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path

    began = time.monotonic()
    product.process.send_signal(signal.SIGTERM)
    assert product.process.wait(20) == 0
    assert time.monotonic() - began < 16
    assert not product.processes()
    assert log(product).rstrip().endswith("Stopped.")


@pytest.mark.slow
def test_the_next_start_ends_processes_of_a_killed_one(product: Product) -> None:
    product.start()
    wait_until(lambda: "Atrium is ready" in log(product), what="the first start is ready")
    left = [process for process in orphans.find(product.home) if process not in called(product, "config.ops.launcher")]
    for process in called(product, "config.ops.launcher"):
        process.kill()
    assert product.process
    product.process.wait()
    assert requests.get(f"{product.url}/healthz/", timeout=10).ok, "they still run"

    product.start()  # may return early: the old processes still answer
    wait_until(lambda: log(product).count("Atrium is ready") == 2, timeout=120, what="a second start")
    assert "Ending processes of an earlier start that was killed" in log(product)
    assert not [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_an_unrelated_process_with_a_reused_pid_is_left_alone(product: Product) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
    (product.home / "run").mkdir(parents=True)
    # The supervisor had this pid before a reboot.
    (product.home / "run" / "session").write_text(f"{other.pid} {time.time() + 3600}\n")
    orphans.end(product.home)
    assert other.poll() is None
    other.kill()
    other.wait()
    assert os.getpid() not in {process.pid for process in orphans.find(product.home)}
