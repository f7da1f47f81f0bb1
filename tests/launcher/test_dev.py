"""``bin/dev``: DEBUG, the mail viewer, and a restart of the processes when a source file changes."""

import os

import pytest
import requests

from ..e2e.product import Product
from ..places import ROOT
from ..waiting import wait_until


@pytest.mark.slow
def test_a_changed_file_restarts_the_processes(product: Product) -> None:
    product.start("--dev")
    assert requests.get(f"{product.url}/dev/mail/", timeout=30).status_code == 200
    wait_until(lambda: "/dev/mail/" in product.output(), timeout=60, what="the welcome text")
    os.utime(ROOT / "config" / "urls.py")
    for role in ("web", "events", "worker"):
        wait_until(lambda role=role: f"restarting {role}" in product.output(), timeout=60, what=f"a restart of {role}")
    wait_until(product.ready_or_ended, timeout=120, what="a ready product")
    product.stop()
