"""Profile pictures on S3, with a moto server over real HTTP."""

import io
from typing import Any

import pytest
import requests
from PIL import Image

from accounts.models import User, UserProfile
from config import storage
from config.models import DiscardedFile

from ..conftest import Client
from ..factories import PASSWORD
from ..s3 import BUCKET, S3
from .helpers import AUTH
from .test_pictures import PROFILE, picture, send


@pytest.fixture
def link(s3: S3, signed_in: Client) -> str:
    """The link to a picture that ``user`` has uploaded."""
    response = send(signed_in, picture())
    assert response.status_code == 200, response.content
    return response.json()["image"]


def key(user: User) -> str:
    return UserProfile.objects.get(user=user).image.name


def discard_all() -> int:
    DiscardedFile.objects.update(due_at="2020-01-01T00:00:00Z")
    return storage.discard_due()


def test_the_picture_is_stored_in_s3_only_and_private(s3: S3, link: str, user: User, settings: Any) -> None:
    assert s3.stored() == [key(user)]
    assert not settings.FILES_DIR.exists()
    assert requests.get(f"{s3.url}/{BUCKET}/{key(user)}", timeout=5).status_code == 403
    grants = s3.client().get_object_acl(Bucket=BUCKET, Key=key(user))["Grants"]
    assert not [grant for grant in grants if grant["Grantee"].get("URI", "").endswith("AllUsers")]


def test_its_link_is_presigned_for_five_minutes(s3: S3, link: str, signed_in: Client) -> None:
    assert link.startswith(f"{s3.url}/{BUCKET}/pictures/")
    assert "X-Amz-Expires=300&" in link
    assert "X-Amz-Signature=" in link
    got = requests.get(link, timeout=5)
    assert (got.status_code, got.headers["Content-Type"]) == (200, "image/webp")
    shown = Image.open(io.BytesIO(got.content))
    assert (shown.format, max(shown.size)) == ("WEBP", 512)
    assert signed_in.get(PROFILE).json()["image"].startswith(link.partition("?")[0])


def test_a_new_picture_deletes_the_old_object(s3: S3, link: str, signed_in: Client, user: User) -> None:
    old = key(user)
    assert send(signed_in, picture("JPEG")).status_code == 200
    assert len(s3.stored()) == 2
    assert storage.discard_due() == 1
    assert s3.stored() == [key(user)] != [old]
    assert requests.get(link, timeout=5).status_code == 404


@pytest.mark.parametrize("way", ["removed", "with the account"])
def test_removing_a_picture_deletes_its_object(s3: S3, link: str, signed_in: Client, way: str) -> None:
    if way == "removed":
        assert signed_in.delete(f"{PROFILE}image/").status_code == 204
    else:
        assert signed_in.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    assert storage.discard_due() == 1
    assert s3.stored() == []


def test_an_upload_is_503_and_changes_nothing_while_s3_is_down(
    s3: S3, link: str, signed_in: Client, user: User
) -> None:
    before = key(user)
    form = {"first_name": "Nobody", "image": io.BytesIO(picture("JPEG"))}
    s3.stop()
    response = signed_in.patch(PROFILE, form, format="multipart")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (503, "service_unavailable")
    assert int(response["Retry-After"]) > 0
    profile = signed_in.get(PROFILE).json()
    assert (key(user), profile["first_name"]) == (before, user.first_name)
    assert profile["image"], "a link needs no request to S3"
    s3.start()
    assert discard_all() == 1, "the file that may have been stored is deleted"
    assert s3.stored() == []
    assert send(signed_in, picture()).status_code == 200
    assert s3.stored() == [key(user)]


def test_a_picture_removed_while_s3_is_down_is_deleted_later(s3: S3, link: str, signed_in: Client, user: User) -> None:
    old = key(user)
    s3.stop()
    assert signed_in.delete(f"{PROFILE}image/").status_code == 204
    assert signed_in.get(PROFILE).json()["image"] is None
    assert storage.discard_due() == 0
    assert DiscardedFile.objects.get().attempts == 0, "waiting does not count as an attempt"
    s3.start()
    s3.client().put_object(Bucket=BUCKET, Key=old, Body=b"lost by moto's restart")
    assert discard_all() == 1
    assert s3.stored() == []


def test_an_invalid_picture_is_not_sent_to_s3(s3: S3, signed_in: Client) -> None:
    assert send(signed_in, b"<svg/>").status_code == 400
    assert s3.stored() == []
