"""Uploaded files on S3, tested with moto's server over HTTP."""

from typing import Any

import pytest
import requests
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError

from config import storage
from config.models import DiscardedFile
from tests.conftest import Client
from tests.s3 import BUCKET, S3
from trends.models import ImportRun, Trend
from trends.services import import_runner

from .conftest import IMPORTS, Send, names
from .factories import csv_bytes, sample, upload, values


def import_due_now() -> int:
    ImportRun.objects.update(due_at="2020-01-01T00:00:00Z")
    return import_runner.import_waiting()


def post(client: Client, content: bytes, name: str = "trends.csv") -> Any:
    return client.post(IMPORTS, {"file": upload(content, name)}, format="multipart")


def test_an_uploaded_file_is_only_on_s3_and_private(s3: S3, send: Send, settings: Any) -> None:
    run = send(sample("trends_messy.csv"), "trends_messy.csv")
    assert (run["status"], run["created"], run["rejected"]) == ("completed_with_errors", 57, 4)
    key = ImportRun.objects.get().key
    assert s3.stored() == [key]
    assert requests.get(f"{s3.url}/{BUCKET}/{key}", timeout=5).status_code == 403
    assert not settings.FILES_DIR.exists()
    assert names(settings.TRENDS_BACKUP) == []


def test_the_original_is_downloaded_by_a_link_under_its_own_name(s3: S3, send: Send) -> None:
    run = send(sample("trends_sample.csv"), "Trends März.csv")
    response = send.client.get(f"{IMPORTS}{run['id']}/original/")
    assert response.status_code == 302
    assert "X-Amz-Expires=300" in response["Location"]
    got = requests.get(response["Location"], timeout=5)
    assert got.content == sample("trends_sample.csv")
    assert "M%C3%A4rz" in got.headers["Content-Disposition"]


def test_a_multipart_upload_is_read_completely(s3: S3, send: Send) -> None:
    content = csv_bytes(*(values(challenges_and_research_gaps=f"{n} " + "x" * 2_000) for n in range(5_000)))
    assert len(content) > 10 * 1024 * 1024
    run = send(content)
    assert (run["status"], run["created"], run["size"]) == ("completed", 5_000, len(content))


def test_a_rejected_upload_is_quarantined_with_a_report(s3: S3, send: Send, settings: Any) -> None:
    content = csv_bytes(values(), values(impact_strength="Enormous"))
    run = send(content, "bad.csv")
    assert run["status"] == "failed"
    name = ImportRun.objects.get().quarantine
    folder = settings.TRENDS_INBOX.parent / "quarantine"
    assert names(folder) == [name, f"{name}.report.txt"]
    assert (folder / name).read_bytes() == content
    assert requests.get(send.client.get(f"{IMPORTS}{run['id']}/original/")["Location"], timeout=5).content == content


def test_an_upload_without_s3_is_503_and_stores_nothing(s3: S3, send: Send) -> None:
    s3.stop()
    response = post(send.client, csv_bytes(values()))
    assert (response.status_code, bool(response["Retry-After"])) == (503, True)
    assert not ImportRun.objects.exists()
    s3.start()
    assert s3.stored() == []
    assert post(send.client, csv_bytes(values())).status_code == 202


def test_a_request_that_fails_between_file_and_row_leaves_no_file(
    s3: S3, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(**_: Any) -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as broken:
        broken.setattr(ImportRun.objects, "create", end)
        assert post(send.client, csv_bytes(values())).status_code == 503
    [key] = s3.stored()
    post(send.client, csv_bytes(values()))
    DiscardedFile.objects.update(due_at="2020-01-01T00:00:00Z")
    assert storage.discard_due() == 1
    assert s3.stored() == [ImportRun.objects.get().key] != [key]


def test_an_import_waits_until_s3_is_available_again(s3: S3, send: Send) -> None:
    content = csv_bytes(values())
    run = post(send.client, content).json()
    s3.stop()
    assert import_runner.import_waiting() == 0
    waiting = ImportRun.objects.get(pk=run["id"])
    assert (waiting.done_at, waiting.failed_at, waiting.attempts) == (None, None, 0)
    assert "storage" in waiting.error
    s3.start()
    default_storage.save(waiting.key, ContentFile(content))  # the server's files are lost with a restart
    assert import_due_now() == 1
    assert send.client.get(f"{IMPORTS}{run['id']}/").json()["status"] == "completed"
    assert Trend.objects.count() == 1


def test_a_missing_file_fails_the_run_with_the_reason(s3: S3, send: Send) -> None:
    run = post(send.client, csv_bytes(values())).json()
    s3.empty()
    import_due_now()
    finished = send.client.get(f"{IMPORTS}{run['id']}/").json()
    assert (finished["status"], Trend.objects.count()) == ("failed", 0)
    assert "no longer in the storage" in finished["error"]


def test_a_dry_run_stores_no_file(s3: S3, send: Send) -> None:
    assert send(csv_bytes(values()), dry_run=True)["created"] == 1
    assert s3.stored() == []
