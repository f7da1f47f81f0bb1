"""Files of trends on S3: against moto's server, over real HTTP."""

import requests
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError

from config import storage
from config.models import DiscardedFile
from tests.s3 import BUCKET
from trends import importing
from trends.models import ImportRun, Trend

from .conftest import IMPORTS, names
from .factories import csv_bytes, sample, upload, values


def due_now():
    ImportRun.objects.update(due_at="2020-01-01T00:00:00Z")
    return importing.import_waiting()


def post(client, content, name="trends.csv"):
    return client.post(IMPORTS, {"file": upload(content, name)}, format="multipart")


def test_the_file_is_in_s3_alone_and_private_and_its_rows_are_imported(s3, send, settings):
    run = send(sample("trends_messy.csv"), "trends_messy.csv")
    assert (run["status"], run["created"], run["rejected"]) == ("completed_with_errors", 57, 4)
    key = ImportRun.objects.get().key
    assert s3.stored() == [key]
    assert requests.get(f"{s3.url}/{BUCKET}/{key}", timeout=5).status_code == 403
    assert not settings.FILES_DIR.exists()
    assert names(settings.TRENDS_BACKUP) == []


def test_staff_get_it_back_by_a_link_that_names_it_as_it_came(s3, send):
    run = send(sample("trends_sample.csv"), "Trends März.csv")
    answer = send.client.get(f"{IMPORTS}{run['id']}/original/")
    assert answer.status_code == 302
    assert "X-Amz-Expires=300" in answer["Location"]
    got = requests.get(answer["Location"], timeout=5)
    assert got.content == sample("trends_sample.csv")
    assert "M%C3%A4rz" in got.headers["Content-Disposition"]


def test_a_file_of_several_parts_is_read_whole(s3, send):
    content = csv_bytes(*(values(challenges_and_research_gaps=f"{n} " + "x" * 2_000) for n in range(5_000)))
    assert len(content) > 10 * 1024 * 1024
    run = send(content)
    assert (run["status"], run["created"], run["size"]) == ("completed", 5_000, len(content))


def test_what_is_refused_comes_into_quarantine_with_its_report(s3, send, settings):
    content = csv_bytes(values(), values(impact_strength="Enormous"))
    run = send(content, "bad.csv")
    assert run["status"] == "failed"
    name = ImportRun.objects.get().quarantine
    folder = settings.TRENDS_INBOX.parent / "quarantine"
    assert names(folder) == [name, f"{name}.report.txt"]
    assert (folder / name).read_bytes() == content
    assert requests.get(send.client.get(f"{IMPORTS}{run['id']}/original/")["Location"], timeout=5).content == content


def test_an_upload_while_s3_is_away_is_503_and_leaves_nothing(s3, send):
    s3.stop()
    answer = post(send.client, csv_bytes(values()))
    assert (answer.status_code, bool(answer["Retry-After"])) == (503, True)
    assert not ImportRun.objects.exists()
    s3.start()
    assert s3.stored() == []
    assert post(send.client, csv_bytes(values())).status_code == 202


def test_a_request_that_ends_between_file_and_row_leaves_no_file(s3, send, monkeypatch):
    def end(**_):
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as broken:
        broken.setattr(ImportRun.objects, "create", end)
        assert post(send.client, csv_bytes(values())).status_code == 503
    [key] = s3.stored()
    post(send.client, csv_bytes(values()))
    DiscardedFile.objects.update(due_at="2020-01-01T00:00:00Z")
    assert storage.discard_due() == 1
    assert s3.stored() == [ImportRun.objects.get().key] != [key]


def test_a_file_waits_for_an_s3_that_is_away_while_it_would_be_imported(s3, send):
    content = csv_bytes(values())
    run = post(send.client, content).json()
    s3.stop()
    assert importing.import_waiting() == 0
    waiting = ImportRun.objects.get(pk=run["id"])
    assert (waiting.done_at, waiting.failed_at, waiting.attempts) == (None, None, 0)
    assert "storage" in waiting.error
    s3.start()
    default_storage.save(waiting.key, ContentFile(content))  # the server keeps nothing over a restart
    assert due_now() == 1
    assert send.client.get(f"{IMPORTS}{run['id']}/").json()["status"] == "completed"
    assert Trend.objects.count() == 1


def test_a_file_that_is_no_longer_there_ends_the_run_with_its_reason(s3, send):
    run = post(send.client, csv_bytes(values())).json()
    s3.empty()
    due_now()
    ended = send.client.get(f"{IMPORTS}{run['id']}/").json()
    assert (ended["status"], Trend.objects.count()) == ("failed", 0)
    assert "no longer in the storage" in ended["error"]


def test_a_dry_run_stores_no_file(s3, send):
    assert send(csv_bytes(values()), dry_run=True)["created"] == 1
    assert s3.stored() == []
