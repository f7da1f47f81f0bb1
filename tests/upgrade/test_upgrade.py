"""An existing site is upgraded with its data while it is used, and taken back by its backup."""

from pathlib import Path

import pytest

from ..faults.stack import Stack
from ..places import free_port
from .previous import Previous
from .site import CREATE_PEOPLE, Person, Traffic, differences, fill, read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

# What the previous version cannot do any more once the database is migrated (docs/operations.md, "Upgrades").
BREAKS = {"POST notes/"}


def test_a_site_is_upgraded_under_traffic_and_taken_back(stack: Stack, old: Previous, tmp_path: Path) -> None:
    old.manage("migrate", "--verbosity", "0")
    old.manage("shell", code=CREATE_PEOPLE)
    previous = [old.start(role) for role in ("web", "worker", "beat")]
    details = fill(stack.url)
    before = read(stack.url, details)
    old.manage("backup", str(tmp_path / "before"))

    traffic = Traffic(old=stack.url)
    with traffic.running():
        traffic.wait("before")
        traffic.phase = "migrating"
        stack.manage("migrate", "--verbosity", "0")
        stack.port = free_port()
        stack.url = f"http://127.0.0.1:{stack.port}"
        present = [stack.start(role) for role in ("web", "worker", "beat")]
        traffic.urls = {**traffic.urls, "new": stack.url}
        traffic.wait("both")
        traffic.urls = {"new": stack.url}
        traffic.wait("switching", rounds=1)
        for process in previous:
            process.terminate()
            process.wait(60)
        traffic.wait("new")
    for phase, version in sorted({(phase, version) for phase, version, _, _ in traffic.counts}):
        print(phase, version, traffic.failed(phase, version))
    assert traffic.failed("before", "old") == traffic.failed("both", "new") == traffic.failed("new", "new") == {}
    # A request may come while its table is changed: then it waits, or is refused with a time to try again.
    migrating = traffic.failed("migrating", "old")
    assert {path for path, statuses in migrating.items() if set(statuses) != {503}} <= BREAKS
    assert set(traffic.failed("both", "old")) == BREAKS

    # Everything of before is there, and everything that either version has acknowledged.
    assert list(differences(before, read(stack.url, details))) == []
    ada = Person(stack.url, "ada")
    for path, number, body in traffic.acknowledged:
        answer = ada.call("GET", f"{path}{number}/").json()
        assert answer.get("title", answer.get("body")) in body
    assert "all applied" in stack.manage("doctor", fails=True)
    assert stack.sql("SELECT count(*) FROM accounts_pendingregistration WHERE username = 'eve'") == [(1,)]

    for process in present:
        process.terminate()
        process.wait(60)
    old.manage("restore", "--yes", str(tmp_path / "before"))
    stack.port = free_port()
    stack.url = f"http://127.0.0.1:{stack.port}"
    old.start("web")
    assert read(stack.url, details) == before
    newest = max(number for path, number, _ in traffic.acknowledged if path == "notes/")
    Person(stack.url, "ada").call("GET", f"notes/{newest}/", status=404)
    Person(stack.url, "ada").call("POST", "notes/", status=201, json={"title": "Back"})
