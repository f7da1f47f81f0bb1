"""`docker compose up` as a new user types it, with podman instead of Docker and substitutes for third-party images."""

import contextlib
import json
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .engine import ROOT, Engine

HERE = Path(__file__).resolve().parent
PROJECT = "atrium-rehearsal"
STAND_INS = {"db": "postgres", "redis": "valkey", "mailpit": "mailpit", "s3": "s3"}  # service -> target of ./Dockerfile
ROLES = ("front", "web", "events", "worker", "webhooks", "beat")
PATIENCE = 120  # seconds for each step; an idle machine takes a few


def free_port() -> int:
    """Return a free port below the range of outgoing connections and below the ports of the tests."""
    while True:
        port = random.randrange(10000, 15000)
        with socket.socket() as attempt, contextlib.suppress(OSError):
            attempt.bind(("127.0.0.1", port))
            return port


SITE, MAIL, FLOWER, S3 = (f"http://127.0.0.1:{free_port()}" for _ in range(4))


def until(what: str, probe: Callable[[], Any]) -> Any:
    """Return the first true result of ``probe``; raises AssertionError with ``what`` after the time limit."""
    end = time.monotonic() + PATIENCE
    while not (answer := probe()):
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.3)
    return answer


def ask(url: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
    """Return status and text of an answer; status 0 if there is none."""
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Compose:
    """The services of the compose file, started in the order that it defines."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        for name, address in {"": SITE, "MAILPIT_": MAIL, "FLOWER_": FLOWER, "S3_": S3}.items():
            engine.env[f"ATRIUM_{name}PORT"] = address.rpartition(":")[2]
        engine.env |= {"AWS_STORAGE_BUCKET_NAME": ""}
        config = self("--profile", "monitoring", "--profile", "s3", "config").stdout
        self.services: dict[str, dict[str, Any]] = yaml.safe_load(config)["services"]

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.engine(sys.executable, "-m", "podman_compose", "-p", PROJECT, *arguments, check=check)

    def build_stand_ins(self) -> None:
        for service, target in STAND_INS.items():
            image = self.services[service]["image"]
            tag = f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"
            self.engine.build(folder=str(HERE), tag=tag, target=target)

    def require_network(self) -> None:
        name = f"{PROJECT}_probe"
        self.engine("podman", "network", "create", name, check=False)
        self.engine.require_containers("--network", name)

    def name(self, service: str, number: int = 1) -> str:
        return f"{PROJECT}_{service}_{number}"

    def inspect(self, service: str, path: str, number: int = 1) -> str:
        done = self.engine("podman", "inspect", "--format", f"{{{{{path}}}}}", self.name(service, number), check=False)
        return done.stdout.strip()

    def exec(self, service: str, *command: str) -> str:
        return self.engine("podman", "exec", self.name(service), *command).stdout.strip()

    def logs(self, service: str, number: int = 1) -> str:
        done = self.engine("podman", "logs", "--tail", "40", self.name(service, number), check=False)
        return done.stdout + done.stderr

    def up(self, *services: str, scale: dict[str, int] | None = None) -> None:
        """Start services, each after the services that it depends on reached the state that the file asks for.

        podman-compose leaves waiting for health to a podman newer than Debian's, so that is done here.
        """
        for service in services:
            for other, wanted in self.services[service].get("depends_on", {}).items():
                self.wait(other, wanted["condition"])
            profiles = [word for name in self.services[service].get("profiles", ()) for word in ("--profile", name)]
            count = (scale or {}).get(service, 1)
            self(*profiles, "up", "-d", "--no-build", "--no-deps", "--scale", f"{service}={count}", service)

    def wait(self, service: str, condition: str = "service_healthy", number: int = 1) -> None:
        def done() -> bool:
            if condition == "service_completed_successfully":
                return self.inspect(service, ".State.Status") == "exited"
            name = self.name(service, number)
            return self.engine("podman", "healthcheck", "run", name, check=False).returncode == 0

        try:
            until(f"{service}: {condition}", done)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs(service, number)}") from None
        if condition == "service_completed_successfully":
            code = self.inspect(service, ".State.ExitCode")
            assert code == "0", f"{service} ended with {code}:\n{self.logs(service)}"

    def remove(self, *, volumes: bool) -> None:
        """Remove every container and network of the project; podman-compose misses those started by --scale."""
        ours = f"name={PROJECT}_"
        removals = {"ps -a": "rm --force --time 1", "network ls": "network rm --force"}
        removals |= {"volume ls": "volume rm --force"} if volumes else {}
        for listing, removal in removals.items():
            for _ in range(3):  # a container that is restarting is not removed at the first attempt
                if found := self.engine("podman", *listing.split(), "--quiet", "--filter", ours).stdout.split():
                    self.engine("podman", *removal.split(), *found, check=False)


def starts_from_nothing(compose: Compose) -> str:
    """Start everything (two workers) and check that all roles are healthy and /readyz/ answers 200."""
    began = time.monotonic()
    compose.up("keys", "db", "redis", "mailpit", "migrate", *ROLES, scale={"worker": 2})
    for role in ROLES:
        compose.wait(role)
        said = compose.exec(role, "python", "/srv/atrium/deploy/healthcheck.py")  # as without the compose file
        assert said == f"{role} is healthy", said
    compose.wait("worker", number=2)
    until("/readyz/ is green", lambda: ask(f"{SITE}/readyz/")[0] == 200)
    return f"ready {time.monotonic() - began:.0f} s after the first container"


def scalar(compose: Compose, query: str) -> str:
    return compose.exec("db", "psql", "-h", "/tmp", "-U", "atrium", "-tAc", query, "atrium")


def has_no_administrator_and_no_common_key(compose: Compose) -> str:
    users = scalar(compose, "SELECT count(*) FROM accounts_user")
    assert users == "0", f"there are {users} users"
    env = compose.exec("web", "cat", "/var/lib/atrium/env")
    assert "SECRET_KEY=" in env and "JWT_SIGNING_KEY=" in env
    mode = compose.exec("web", "stat", "-c", "%a %u", "/var/lib/atrium/env")
    assert mode == "600 10001", mode
    described = compose.engine("podman", "inspect", *(compose.name(role) for role in ROLES)).stdout
    for line in env.splitlines():
        assert line.split("=", 1)[1] not in described, f"{line.split('=')[0]} shows in `docker inspect`"
    return "nobody can log in; the keys are this installation's, and `docker inspect` does not show them"


def mails_a_newcomer(compose: Compose) -> str:
    body = {"email": "ada@example.org", "username": "ada", "password": "correct-horse-battery-1"}
    status, text = ask(f"{SITE}/api/v1/auth/register/", body)
    assert status == 201, (status, text)
    until("the mail arrives", lambda: "ada@example.org" in ask(f"{MAIL}/api/v1/messages")[1])
    return "register over HTTP, mail by the worker over SMTP"


def imports_what_is_dropped_into_the_inbox(compose: Compose) -> str:
    sample = ROOT / "tests" / "data" / "trends_sample.csv"
    compose.engine("podman", "cp", str(sample), f"{compose.name('worker')}:/var/lib/atrium/trends/inbox/sample.csv")
    look = "from trends.tasks import import_inbox; import_inbox.delay()"

    def imported() -> bool:
        compose.exec("web", "python", "manage.py", "shell", "--no-imports", "-c", look)  # do not wait two minutes
        return scalar(compose, "SELECT count(*) FROM trends_trend") == "72"

    until("72 trends", imported)
    until("an empty inbox", lambda: compose.exec("worker", "ls", "/var/lib/atrium/trends/inbox") == "")
    assert compose.exec("worker", "ls", "/var/lib/atrium/trends/backup")
    return "72 trends, a backup, an empty inbox"


def all_answer(compose: Compose, question: str) -> bool:
    """Return whether both workers and the webhooks worker answer a command of Celery."""
    command = ("podman", "exec", compose.name("worker"), "python", "-m", "celery", "-A", "config", *question.split())
    names = set(re.findall(r"(\w+)@(\w+): OK", compose.engine(*command, check=False).stdout))
    return sorted(kind for kind, _ in names) == ["celery", "celery", "webhooks"]


def shows_its_workers(compose: Compose) -> str:
    """Run the monitoring commands of docs/operations.md, and ``doctor``."""
    for question in ("status", "inspect active", "inspect active_queues", "inspect stats"):
        # Celery waits one second for answers, which is too short for a busy machine.
        until(f"all workers answer celery {question}", lambda question=question: all_answer(compose, question))
    compose.exec("web", "python", "manage.py", "doctor")
    return "celery lists two workers and the webhooks worker, and doctor finds every part well"


def makes_a_backup(compose: Compose) -> str:
    compose.exec("web", "python", "manage.py", "backup", "/var/lib/atrium/backups/first")
    return ", ".join(compose.exec("web", "ls", "/var/lib/atrium/backups/first").split())


def keeps_all_of_it(compose: Compose) -> str:
    """Remove every container and create them again on the same volumes."""
    before = compose.exec("web", "sha256sum", "/var/lib/atrium/env")
    slowest, worst = 0.0, ""
    for role in (*ROLES, "db", "redis"):
        began = time.monotonic()
        compose.engine("podman", "stop", "--time", "60", compose.name(role))
        took, code = time.monotonic() - began, compose.inspect(role, ".State.ExitCode")
        assert code == "0", f"{role} ended with {code} on SIGTERM:\n{compose.logs(role)}"
        slowest, worst = max((slowest, worst), (took, role))
    compose.remove(volumes=False)
    compose.up("keys", "db", "redis", "mailpit", "migrate", *ROLES)
    for role in ROLES:
        compose.wait(role)
    assert compose.exec("web", "sha256sum", "/var/lib/atrium/env") == before, "the keys changed"
    registrations = scalar(compose, "SELECT count(*) FROM accounts_pendingregistration")
    assert registrations == "1", f"there are {registrations} registrations"
    return f"every role ends by itself on SIGTERM, {worst} last, after {slowest:.1f} s; keys and rows are there again"


def watches_with_flower(compose: Compose) -> str:
    compose.up("flower")
    compose.wait("flower")
    status, _ = ask(f"{FLOWER}/workers")
    assert status == 401, status
    return "answers 401 without its password"


def stores_files_on_s3(compose: Compose) -> str:
    compose.engine.env["AWS_STORAGE_BUCKET_NAME"] = "atrium"
    compose.up("s3", "bucket")
    compose.wait("bucket", "service_completed_successfully")
    compose.engine("podman", "rm", "--force", compose.name("web"))
    compose.up("web")
    compose.wait("web")
    script = (
        "from django.core.files.base import ContentFile; from django.core.files.storage import default_storage as s; "
        "name = s.save('rehearsal.txt', ContentFile(b'kept')); "
        "import urllib.request as u; print(u.urlopen(s.url(name)).read().decode())"
    )
    answer = compose.exec("web", "python", "manage.py", "shell", "--no-imports", "-c", script)
    assert answer.endswith("kept"), answer
    return "the bucket is made, a file is stored, and its signed link leads to it"


CHECKS = [
    starts_from_nothing,
    has_no_administrator_and_no_common_key,
    mails_a_newcomer,
    imports_what_is_dropped_into_the_inbox,
    shows_its_workers,
    makes_a_backup,
    keeps_all_of_it,
    watches_with_flower,
    stores_files_on_s3,
]
