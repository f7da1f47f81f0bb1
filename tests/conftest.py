"""What every test may ask for: clients that sign in, a real worker, a real mail server."""

import email
import email.policy
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import redis
from aiosmtpd.controller import Controller
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase, override_settings
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from config.cache import responses
from config.cache.redis import retry_now

from . import database
from .api.strict import check_response
from .factories import UserFactory
from .places import ROOT, free_port
from .s3 import BUCKET, S3
from .waiting import wait_until


class Client(APIClient):
    """DRF's client with real access tokens; every response is checked against the OpenAPI schema."""

    def __init__(self, **defaults: Any) -> None:
        super().__init__(raise_request_exception=False, **defaults)

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        check_response(request["REQUEST_METHOD"], request["PATH_INFO"], response)
        return response

    def as_user(self, user: User) -> "Client":
        """A client signed in as ``user`` on a device of its own."""
        _, access, _ = tokens.start_session(user=user, ip="127.0.0.1", user_agent="tests")
        client = Client()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        return client


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Override pytest-django's fixture: the processes of pytest-xdist copy one migrated database."""
    if hasattr(request.config, "workerinput"):
        with django_db_blocker.unblock():
            database.use_template()


@pytest.fixture(autouse=True, scope="session")
def short_flush() -> Iterator[None]:
    with mock.patch.object(TransactionTestCase, "_fixture_teardown", database.delete_rows):
        yield


@pytest.fixture
def api(db: None) -> Client:
    """A client that is not signed in; ``api.as_user(user)`` is one that is."""
    return Client()


@pytest.fixture
def user(db: None) -> User:
    return UserFactory()


@pytest.fixture
def staff(db: None) -> User:
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def signed_in(api: Client, user: User) -> Client:
    """A client signed in as ``user``."""
    return api.as_user(user)


@functools.cache
def redis_client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


@pytest.fixture(autouse=True)
def clean_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with an empty Redis; the broker's database too, so that no message outlives its test."""
    for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL):
        redis_client(url).flushdb()
    retry_now()
    responses.local_cache.clear()
    yield
    cache.close()


@contextmanager
def without_redis(settings: Any) -> Iterator[None]:
    """Within the block this process cannot reach Redis."""
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    yield
    settings.REDIS_URL = url
    retry_now()


@pytest.fixture
def redis_away(settings: Any) -> Iterator[None]:
    """Redis cannot be reached in this test's process."""
    with without_redis(settings):
        yield


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path) -> Iterator[None]:
    """Throttles are off; files, mails and watched folders of a test are in its own folder.

    One override: each further one makes every read of a setting slower.
    """
    files = {"BACKEND": "config.storage.PrivateFileSystemStorage", "OPTIONS": {"location": tmp_path / "files"}}
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    throttles = ("ANON", "USER", "LOGIN", "REGISTER", "MAIL", "SEND", "UPLOAD")
    with override_settings(
        **{f"THROTTLE_{scope}": "" for scope in throttles},
        MAIL_DIR=tmp_path / "mail",
        FILES_DIR=tmp_path / "files",
        STORAGES={**settings.STORAGES, "default": files, "staticfiles": static},
        TRENDS_INBOX=tmp_path / "trends" / "inbox",
        TRENDS_BACKUP=tmp_path / "trends" / "backup",
        EVENTS_URL="http://127.0.0.1:1",
    ):
        yield


def process_environment(**extra: str) -> dict[str, str]:
    """The environment of a process that shares the test's database, Redis and folders."""
    parts = connection.settings_dict
    return {
        **os.environ,
        "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**parts),
        "REDIS_URL": settings.REDIS_URL,
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "ATRIUM_HOME": str(settings.FILES_DIR.parent),
        "TRENDS_INBOX": str(settings.TRENDS_INBOX),
        "TRENDS_BACKUP": str(settings.TRENDS_BACKUP),
        "PYTHONUNBUFFERED": "1",
        **extra,
    }


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_python("-c", code, LOG_FORMAT="json")``: run Python with these arguments until it ends.

    The variables are added to ``env``, by default the environment of this process. ``--quick`` leaves out the tests
    that use this fixture: a process that loads Django takes seconds.
    """

    def run(*arguments: str, env: Mapping[str, str] | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env={**(os.environ if env is None else env), **extra},
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def start_process(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """``start_process("-m", "celery", …, CONTACT_WINDOW="2")``: Python with these arguments on the test's own servers.

    Its output goes to ``<tmp_path>/process-N.log``, which is shown when the test fails. Ended with the test.
    """
    running: list[subprocess.Popen] = []

    def start(*arguments: str, **extra: str) -> subprocess.Popen:
        log = (tmp_path / f"process-{len(running)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=process_environment(**extra),
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
    for number, process in enumerate(running):
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(f"--- process {number}: {process.args!r}")
        print((tmp_path / f"process-{number}.log").read_text(errors="replace")[-8000:])


@pytest.fixture
def start_worker(start_process: Callable[..., subprocess.Popen]) -> Callable[..., subprocess.Popen]:
    """``start_worker(**environment)``: a real Celery worker for all queues, once it is ready to take tasks."""

    def start(**extra: str) -> subprocess.Popen:
        client = redis.Redis.from_url(settings.REDIS_URL)
        client.delete("atrium:worker_seen")
        process = start_process(
            "-m", "celery", "-A", "config", "worker", "-Q", "mail,imports,default", "--concurrency", "1",
            "--without-gossip", "--without-mingle", ATRIUM_PROCESS="worker", **extra,
        )  # fmt: skip
        wait_until(
            lambda: client.exists("atrium:worker_seen") or process.poll() is not None, timeout=60, what="a ready worker"
        )
        assert process.poll() is None, "the worker ended by itself"
        return process

    return start


@pytest.fixture
def worker(start_worker: Callable[..., subprocess.Popen]) -> subprocess.Popen:
    return start_worker()


class Inbox:
    """Mails that a real SMTP server took, oldest first."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refusal: str | None = None
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusal:
            return self.refusal
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if message["To"] == address]


@pytest.fixture
def smtp(settings: Any) -> Iterator[Inbox]:
    """A real SMTP server, which Django's mail is set to for this test; ``smtp.messages`` is what it took.

    ``smtp.port`` goes into ``EMAIL_URL`` of processes. ``smtp.refusal = "451 later"`` has it refuse.
    """
    inbox = Inbox()
    inbox.port = free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", inbox.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield inbox
    controller.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3, settings: Any) -> S3:
    """Django's storage set to an empty bucket of a real server, which a test may stop and start."""
    s3_server.start()
    s3_server.empty()
    settings.AWS_STORAGE_BUCKET_NAME = BUCKET
    settings.STORAGES = {**settings.STORAGES, "default": s3_server.storage()}
    return s3_server


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable:
    return wait_until
