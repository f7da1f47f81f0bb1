"""A deadlock is retried once, and writers of cached data cannot cause one."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.models import User
from config.cache import generations
from config.cache.generations import current_generation, invalidate
from config.models import CacheGeneration, IdempotencyKey

from ..factories import UserFactory
from ..waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

attempts: list[bytes] = []


def write_and_fail(times: int, sqlstate: str) -> None:
    """Write a row and raise ``sqlstate`` in Postgres, in the first ``times`` attempts."""
    with transaction.atomic():
        CacheGeneration.objects.create(scope="written")
        if len(attempts) <= times:
            with connection.cursor() as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")


class FailingView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    parser_classes = [MultiPartParser]

    def post(self, request: Any, times: int, sqlstate: str) -> Response:
        attempts.append(request.data["file"].read())
        write_and_fail(times, sqlstate)
        return Response({"ok": True}, 201)


def failing_page(request: HttpRequest, times: int, sqlstate: str) -> HttpResponse:
    attempts.append(b"")
    write_and_fail(times, sqlstate)
    return HttpResponse("ok")


urlpatterns = [
    path("api/<int:times>/<sqlstate>/", FailingView.as_view()),
    path("page/<int:times>/<sqlstate>/", failing_page),
    path("", include("config.urls")),
]


@pytest.fixture(autouse=True)
def no_attempts() -> Iterator[None]:
    attempts.clear()
    yield
    attempts.clear()


@pytest.fixture
def api() -> APIClient:
    """A client that does not compare responses with the schema, which lacks the views of this module."""
    return APIClient(raise_request_exception=False)


def post(api: APIClient, tmp_path: Any, times: int, sqlstate: str = "40P01") -> Any:
    (tmp_path / "file.txt").write_bytes(b"content")
    with (tmp_path / "file.txt").open("rb") as file:
        return api.post(f"/api/{times}/{sqlstate}/", {"file": file}, format="multipart")


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_a_call_is_retried_once_with_its_whole_body(api: APIClient, tmp_path: Any, sqlstate: str) -> None:
    assert post(api, tmp_path, 1, sqlstate).status_code == 201
    assert attempts == [b"content", b"content"]
    assert CacheGeneration.objects.filter(scope="written").count() == 1


def test_a_second_deadlock_is_503(api: APIClient, tmp_path: Any) -> None:
    response = post(api, tmp_path, 5)
    assert (response.status_code, response["Retry-After"], len(attempts)) == (503, "5", 2)


def test_other_errors_of_postgres_are_not_retried(api: APIClient, tmp_path: Any) -> None:
    assert post(api, tmp_path, 1, "57014").status_code == 503
    assert len(attempts) == 1


def test_a_page_is_retried_once(api: APIClient) -> None:
    assert api.get("/page/1/40P01/").content == b"ok"
    assert len(attempts) == 2
    attempts.clear()
    CacheGeneration.objects.all().delete()
    assert api.get("/page/5/40P01/").status_code == 503
    assert len(attempts) == 2


def test_invalidate_checks_foreign_keys_before_it_locks_the_generation(user: User) -> None:
    with transaction.atomic():
        IdempotencyKey.objects.create(user_id=user.pk + 1, endpoint="x", key="x", fingerprint=b"")
        with pytest.raises(IntegrityError), transaction.atomic():
            invalidate("scope")
        transaction.set_rollback(True)


def test_a_writer_that_refers_to_a_row_and_one_that_locks_it_do_not_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the early check, the first commit waits for the row, and the second writer for the generation."""
    in_one_slot = generations.INCREMENT.replace(f"%% {generations.SLOTS}", "%% 1")
    monkeypatch.setattr(generations, "INCREMENT", in_one_slot)
    user = UserFactory()
    referred, locked, failures = threading.Event(), threading.Event(), []

    def in_thread(work: Callable[[], None]) -> threading.Thread:
        def target() -> None:
            try:
                work()
            except Exception as error:
                failures.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=target)
        thread.start()
        return thread

    def refer() -> None:
        with transaction.atomic():
            IdempotencyKey.objects.create(user=user, endpoint="x", key="x", fingerprint=b"")
            referred.set()
            assert locked.wait(30)
            invalidate("scope")

    def lock_row() -> None:
        assert referred.wait(30)
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)
            locked.set()
            wait_until(blocks_another_transaction)
            invalidate("scope")

    def blocks_another_transaction() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            return cursor.fetchone()[0] > 0

    threads = [in_thread(refer), in_thread(lock_row)]
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert current_generation("scope") == 2
