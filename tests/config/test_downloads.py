"""Generated downloads are complete before the response begins."""

import gc
import os
from threading import BoundedSemaphore
from typing import BinaryIO

import pytest
from django.http import FileResponse, HttpRequest
from django.test import Client
from django.urls import include, path

from config.api.errors import ServiceUnavailable
from config.http import downloads
from config.http.downloads import download


def test_a_download_has_its_size_name_and_type_and_is_not_stored_by_caches() -> None:
    response = download(lambda file: file.write(b"a;b\r\n"), filename="é.csv", content_type="text/csv; charset=utf-8")
    assert b"".join(response) == b"a;b\r\n"
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Length"] == "5"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''%C3%A9.csv"
    assert response["Cache-Control"] == "private, no-store"


def test_an_error_while_the_file_is_written_is_raised_and_closes_the_file() -> None:
    files: list[BinaryIO] = []

    def fail(file: BinaryIO) -> None:
        files.append(file)
        file.write(b"x" * 10_000_000)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        download(fail, filename="a.csv", content_type="text/csv")
    assert files[0].closed


def test_downloads_leave_half_of_the_threads_to_other_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "slots", BoundedSemaphore(1))

    def write(file: BinaryIO) -> None:
        with pytest.raises(ServiceUnavailable):
            download(write, filename="b.csv", content_type="text/csv")
        file.write(b"x")

    for _ in range(2):  # the slot is free again after each
        assert b"".join(download(write, filename="a.csv", content_type="text/csv")) == b"x"
    assert downloads.slots.acquire(blocking=False)


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_page_of_the_admin_is_503_while_other_downloads_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "slots", BoundedSemaphore(1))
    downloads.slots.acquire()
    response = Client().get("/download/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")


def page(request: HttpRequest) -> FileResponse:
    return download(lambda file: file.write(b"x"), filename="a.csv", content_type="text/csv")


urlpatterns = [path("download/", page), path("", include("config.urls"))]


@pytest.mark.django_db
def test_the_response_closes_the_file() -> None:
    before = len(os.listdir("/proc/self/fd"))
    download(lambda file: file.write(b"x"), filename="a.csv", content_type="text/csv").close()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
