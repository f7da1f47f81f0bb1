"""Pictures of people on S3: against moto's server, over real HTTP."""

import io

import pytest
import requests
from PIL import Image

from accounts.models import UserProfile
from config import storage
from config.models import DiscardedFile
from tests.factories import PASSWORD
from tests.s3 import BUCKET

from .steps import AUTH
from .test_pictures import PROFILE, picture, send


@pytest.fixture
def link(s3, signed_in):
    """The link to the picture that the person has."""
    answer = send(signed_in, picture())
    assert answer.status_code == 200, answer.content
    return answer.json()["image"]


def key(user):
    return UserProfile.objects.get(user=user).image.name


def due_now():
    DiscardedFile.objects.update(due_at="2020-01-01T00:00:00Z")
    return storage.discard_due()


def test_the_picture_is_in_s3_alone_and_private(s3, link, user, settings):
    assert s3.stored() == [key(user)]
    assert not settings.FILES_DIR.exists()
    assert requests.get(f"{s3.url}/{BUCKET}/{key(user)}", timeout=5).status_code == 403
    grants = s3.client().get_object_acl(Bucket=BUCKET, Key=key(user))["Grants"]
    assert not [grant for grant in grants if grant["Grantee"].get("URI", "").endswith("AllUsers")]


def test_its_link_is_presigned_for_five_minutes_and_shows_the_small_picture(s3, link, signed_in):
    assert link.startswith(f"{s3.url}/{BUCKET}/pictures/")
    assert "X-Amz-Expires=300&" in link
    assert "X-Amz-Signature=" in link
    got = requests.get(link, timeout=5)
    assert (got.status_code, got.headers["Content-Type"]) == (200, "image/webp")
    shown = Image.open(io.BytesIO(got.content))
    assert (shown.format, max(shown.size)) == ("WEBP", 512)
    assert signed_in.get(PROFILE).json()["image"].startswith(link.partition("?")[0])


def test_a_new_picture_has_the_old_object_removed(s3, link, signed_in, user):
    old = key(user)
    assert send(signed_in, picture("JPEG")).status_code == 200
    assert len(s3.stored()) == 2
    assert storage.discard_due() == 1
    assert s3.stored() == [key(user)] != [old]
    assert requests.get(link, timeout=5).status_code == 404


@pytest.mark.parametrize("way", ["removed", "with the account"])
def test_a_picture_that_goes_takes_its_object_along(s3, link, signed_in, way):
    if way == "removed":
        assert signed_in.delete(f"{PROFILE}image/").status_code == 204
    else:
        assert signed_in.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    assert storage.discard_due() == 1
    assert s3.stored() == []


def test_while_s3_is_away_an_upload_is_503_and_nothing_is_half_done(s3, link, signed_in, user):
    before = key(user)
    form = {"first_name": "Nobody", "image": io.BytesIO(picture("JPEG"))}
    s3.stop()
    answer = signed_in.patch(PROFILE, form, format="multipart")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "service_unavailable")
    assert int(answer["Retry-After"]) > 0
    profile = signed_in.get(PROFILE).json()
    assert (key(user), profile["first_name"]) == (before, user.first_name)
    assert profile["image"], "a link is made without asking S3"
    s3.start()
    assert due_now() == 1, "what may have been stored is removed"
    assert s3.stored() == []
    assert send(signed_in, picture()).status_code == 200
    assert s3.stored() == [key(user)]


def test_while_s3_is_away_a_picture_is_removed_and_its_object_follows(s3, link, signed_in, user):
    old = key(user)
    s3.stop()
    assert signed_in.delete(f"{PROFILE}image/").status_code == 204
    assert signed_in.get(PROFILE).json()["image"] is None
    assert storage.discard_due() == 0
    assert DiscardedFile.objects.get().attempts == 0, "waiting costs no attempt"
    s3.start()
    s3.client().put_object(Bucket=BUCKET, Key=old, Body=b"what moto forgot")
    assert due_now() == 1
    assert s3.stored() == []


def test_what_is_no_picture_never_reaches_s3(s3, signed_in):
    assert send(signed_in, b"<svg/>").status_code == 400
    assert s3.stored() == []
