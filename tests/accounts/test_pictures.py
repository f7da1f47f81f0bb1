"""Profile pictures: conversion, refusal of invalid files, private storage, removal."""

import io
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.db.models.functions import Now
from PIL import Image, PngImagePlugin

from accounts.models import User, UserProfile
from accounts.services import profiles
from config import storage
from config.models import DiscardedFile
from config.storage import PrivateFileSystemStorage

from ..conftest import Client
from .helpers import AUTH, error_codes

PROFILE = f"{AUTH}profile/"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(kind: str = "PNG", size: tuple[int, int] = (900, 600), mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (200, 30, 30) if mode == "RGB" else None).save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG whose header claims ``width`` by ``height`` pixels, with almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def send(client: Client, content: bytes, name: str = "me.png", kind: str = "image/png") -> Any:
    return client.patch(PROFILE, {"image": SimpleUploadedFile(name, content, kind)}, format="multipart")


def stored(settings: Any) -> list[Path]:
    return sorted(path for path in settings.FILES_DIR.rglob("*") if path.is_file())


def fetched(client: Client, url: str) -> Image.Image:
    response = client.get(url)
    assert response.status_code == 200
    return Image.open(io.BytesIO(b"".join(response.streaming_content)))


@pytest.mark.parametrize(
    "content",
    [
        picture("PNG"),
        picture("JPEG"),
        picture("WEBP"),
        picture("PNG", mode="RGBA"),
        picture("PNG", mode="P"),
        picture("PNG", mode="I;16"),
        picture("JPEG", mode="CMYK"),
        picture("PNG", size=(1, 3000)),
    ],
    ids=["png", "jpeg", "webp", "transparent", "palette", "16 bit", "cmyk", "thin"],
)
def test_a_picture_is_converted_to_a_small_webp(signed_in: Client, settings: Any, content: bytes) -> None:
    response = send(signed_in, content, name="../../evil.html", kind="text/html")
    assert response.status_code == 200, response.content
    shown = fetched(signed_in, response.json()["image"])
    assert shown.format == "WEBP"
    assert max(shown.size) <= 512
    (file,) = stored(settings)
    assert "evil" not in str(file)
    assert file.stat().st_mode & 0o077 == 0


def test_a_picture_is_rotated_and_loses_its_metadata(signed_in: Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    exif[0x010E] = "at home, 52.5N 13.4E"
    shown = fetched(signed_in, send(signed_in, picture("JPEG", exif=exif)).json()["image"])
    assert shown.size == (341, 512)
    assert not shown.getexif()
    assert "icc_profile" not in shown.info


@pytest.mark.parametrize(
    "content",
    [
        SVG,
        b"<html><script>alert(1)</script></html>",
        b"GIF89a" + SVG,
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
        picture("PNG")[:-200],
        picture("JPEG")[:700],
        picture("WEBP")[:100],
        picture("PNG")[:8],
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 4000,
        png_header(60_000, 60_000),
        png_header(6_000, 4_001),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(0, 0),
    ],
    ids=["svg", "html", "gif mask", "gif", "bmp", "tiff", "cut png", "cut jpeg", "cut webp", "signature", "noise",
         "bomb", "24 megapixels and one row", "huge", "empty"],
)  # fmt: skip
def test_an_invalid_or_too_large_picture_is_400_and_stores_nothing(
    signed_in: Client, settings: Any, content: bytes
) -> None:
    response = send(signed_in, content)
    assert response.status_code == 400
    assert {attr for _, attr in error_codes(response)} == {"image"}
    assert stored(settings) == []


def test_a_compressed_text_chunk_bomb_is_refused(signed_in: Client) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 50_000_000, zip=True)
    assert send(signed_in, picture("PNG", pnginfo=info)).status_code == 400


@pytest.mark.parametrize("size", [5 * 1024 * 1024 + 1, 20_000_000], ids=["a byte too many", "twenty megabytes"])
def test_more_than_five_megabytes_are_413(signed_in: Client, size: int) -> None:
    response = send(signed_in, b"\xff" * size)
    assert response.status_code == 413
    assert response.json()["errors"][0]["code"] == "too_large"


def test_an_empty_file_is_400(signed_in: Client) -> None:
    assert send(signed_in, b"").status_code == 400


def test_a_new_picture_replaces_the_old_one(signed_in: Client, settings: Any) -> None:
    first = send(signed_in, picture()).json()["image"]
    (old,) = stored(settings)
    second = send(signed_in, picture("JPEG")).json()["image"]
    storage.discard_due()
    assert len(stored(settings)) == 1
    assert stored(settings) != [old]
    assert signed_in.get(first).status_code == 404
    assert signed_in.get(second).status_code == 200


def test_a_refused_picture_keeps_the_previous_one(signed_in: Client, settings: Any) -> None:
    send(signed_in, picture())
    before = stored(settings)
    send(signed_in, SVG)
    assert stored(settings) == before


def test_a_profile_that_was_read_can_be_sent_back_and_keeps_its_picture(signed_in: Client, settings: Any) -> None:
    send(signed_in, picture())
    before = stored(settings)
    profile = signed_in.get(PROFILE).json()
    assert profile["image"]
    for image in (profile["image"], None):
        assert signed_in.patch(PROFILE, {**profile, "image": image}).status_code == 200
    assert stored(settings) == before


def test_a_picture_can_be_removed(signed_in: Client, settings: Any) -> None:
    send(signed_in, picture())
    assert signed_in.delete(f"{PROFILE}image/").status_code == 204
    assert signed_in.get(PROFILE).json()["image"] is None
    storage.discard_due()
    assert stored(settings) == []
    assert signed_in.delete(f"{PROFILE}image/").status_code == 204, "removing it twice is no error"


def test_a_file_without_a_row_is_deleted_within_the_hour(
    signed_in: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr(profiles, "_replace_picture", fail)
        assert send(signed_in, picture()).status_code == 503
    assert storage.discard_due() == 0, "the request might still be running"
    assert send(signed_in, picture()).status_code == 200
    DiscardedFile.objects.update(due_at=Now())
    assert storage.discard_due() == 1
    (kept,) = stored(settings)
    assert str(kept).endswith(UserProfile.objects.get().image.name)


def test_a_request_slower_than_the_retention_of_its_file_is_503(
    signed_in: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles.storage, "UNCONFIRMED", timedelta(0))
    save = storage.save

    def save_slowly(*args: Any) -> None:
        save(*args)
        storage.discard_due()

    monkeypatch.setattr(storage, "save", save_slowly)
    assert send(signed_in, picture()).status_code == 503
    assert signed_in.get(PROFILE).json()["image"] is None


def test_a_full_disk_is_503_and_changes_nothing(
    signed_in: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PrivateFileSystemStorage, "_save", full)
    response = send(signed_in, picture())
    assert (response.status_code, "Retry-After" in response) == (503, True)
    assert signed_in.get(PROFILE).json()["image"] is None


def test_the_link_to_a_picture_expires_and_cannot_be_forged(signed_in: Client, user: User, settings: Any) -> None:
    url = send(signed_in, picture()).json()["image"]
    settings.SIGNED_URL_SECONDS = -1
    assert signed_in.get(url).status_code == 404
    settings.SIGNED_URL_SECONDS = 300
    key = UserProfile.objects.get(user=user).image.name
    assert signed_in.get(f"/files/{key}/").status_code == 404
    assert signed_in.get(url[:-3] + "xx/").status_code == 404
    assert storage.signed_url(key).startswith(settings.PUBLIC_URL)
