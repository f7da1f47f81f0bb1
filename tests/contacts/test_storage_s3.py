"""Uploads with S3 as the storage: moto's server over real HTTP."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from accounts.models import User
from config import storage
from config.api.errors import ServiceUnavailable
from contacts.models import FileMetadata
from contacts.services.importing import import_due
from tests.conftest import Client as APIClient
from tests.s3 import BUCKET, S3

from .conftest import URL, Send
from .workbooks import xlsx

ROWS = [("Ana", "+37491123456", "ana@example.com"), ("Ben", "", "ben@example.com")]


def test_a_bucket_name_in_the_settings_selects_s3(run_python: Callable) -> None:
    program = (
        "import django; django.setup(); from django.core.files.storage import default_storage as s; s.exists;"
        "print(type(s._wrapped).__name__, s.bucket_name, s.endpoint_url, s.default_acl, s.querystring_expire)"
    )
    done = run_python(
        "-c", program, DJANGO_SETTINGS_MODULE="config.settings", AWS_STORAGE_BUCKET_NAME="b",
        AWS_S3_ENDPOINT_URL="http://127.0.0.1:1", AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["S3Storage", "b", "http://127.0.0.1:1", "None", "300"]


def test_the_original_is_only_in_s3_and_private(s3: S3, signed_in: APIClient, imported: Send, settings: Any) -> None:
    upload = imported(signed_in, ROWS)
    assert (upload["status"], upload["accepted"]) == ("completed", 2)
    key = FileMetadata.objects.get().key
    assert s3.stored() == [key]
    assert requests.get(f"{s3.url}/{BUCKET}/{key}", timeout=5).status_code == 403
    assert not settings.FILES_DIR.exists()
    grants = s3.client().get_object_acl(Bucket=BUCKET, Key=key)["Grants"]
    assert not [grant for grant in grants if grant["Grantee"].get("URI", "").endswith("AllUsers")]


def test_the_link_to_the_original_expires_after_five_minutes_and_has_the_file_name(
    s3: S3, signed_in: APIClient, send: Send
) -> None:
    content = xlsx(ROWS)
    upload = send(signed_in, content, name="Müllers Freunde.xlsx").json()
    answer = signed_in.get(f"{URL}uploads/{upload['id']}/original/")
    assert answer.status_code == 302
    link = answer["Location"]
    assert f"X-Amz-Expires={storage.settings.SIGNED_URL_SECONDS}" in link
    assert "X-Amz-Signature" in link
    got = requests.get(link, timeout=5)
    assert got.content == content
    assert got.headers["Content-Disposition"] == "attachment; filename*=utf-8''M%C3%BCllers%20Freunde.xlsx"


def test_an_upload_while_s3_is_away_is_503_and_stores_nothing(s3: S3, signed_in: APIClient, send: Send) -> None:
    s3.stop()
    with pytest.raises(ServiceUnavailable):
        storage.check()
    answer = send(signed_in, ROWS)
    assert (answer.status_code, bool(answer["Retry-After"])) == (503, True)
    assert not FileMetadata.objects.exists()
    s3.start()
    storage.discard_due()
    assert s3.stored() == []
    assert send(signed_in, ROWS).status_code == 202


def test_an_import_waits_while_s3_is_away(s3: S3, signed_in: APIClient, send: Send) -> None:
    content = xlsx(ROWS)
    upload = send(signed_in, content).json()
    s3.stop()
    assert import_due() == 0
    waiting = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (waiting["status"], waiting["error"]) == ("processing", None)
    assert FileMetadata.objects.get().attempts == 0
    s3.start()
    default_storage.save(FileMetadata.objects.get().key, ContentFile(content))
    FileMetadata.objects.update(due_at="2020-01-01T00:00:00Z")
    assert import_due() == 1
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "completed"


def test_deleting_an_account_deletes_its_files(s3: S3, user: User, signed_in: APIClient, imported: Send) -> None:
    imported(signed_in, ROWS)
    user.delete()
    assert storage.discard_due() == 1
    assert s3.stored() == []


def test_readiness_includes_the_storage(s3: S3, db: None) -> None:
    assert Client().get("/readyz/").json()["checks"]["storage"] == "ok"
    s3.stop()
    assert Client().get("/readyz/").json()["checks"]["storage"] == "down"
    s3.start()


def test_a_large_file_is_sent_in_parts_and_is_complete(s3: S3) -> None:
    content = os.urandom(12 * 1024 * 1024)
    key = storage.random_key("uploads", ".xlsx")
    default_storage.save(key, ContentFile(content))
    got = requests.get(storage.signed_url(key), timeout=20)
    assert got.content == content
    assert urlsplit(got.url).port == s3.port
