"""Archives of backups: what is unpacked, and by which Python."""

import io
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError

from config.ops import archives


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "atrium-1"
    (folder / "files" / "aa").mkdir(parents=True)
    (folder / "files" / "aa" / "one.xlsx").write_bytes(b"one")
    (folder / "files" / "aa" / "one.xlsx").chmod(0o600)
    return archives.pack(folder, [])


def hide_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide them from Atrium only: the module of Python 3.14 needs them itself."""
    monkeypatch.setattr(archives, "tarfile", SimpleNamespace(open=tarfile.open, TarError=tarfile.TarError))


def test_an_archive_is_unpacked_with_its_folders_and_permissions(archive: Path, tmp_path: Path) -> None:
    archives.unpack(archive, tmp_path / "copy")
    copy = tmp_path / "copy" / "files" / "aa" / "one.xlsx"
    assert copy.read_bytes() == b"one"
    assert copy.stat().st_mode & 0o777 == 0o600


def test_an_archive_is_unpacked_by_a_python_without_filters(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by 3.11.2, the Python of Debian 12."""
    for name in ("extract", "extractall"):
        method = getattr(tarfile.TarFile, name)

        def without_filter(self: Any, *arguments: Any, method: Any = method, numeric_owner: bool = False) -> None:
            method(self, *arguments, numeric_owner=numeric_owner)

        monkeypatch.setattr(tarfile.TarFile, name, without_filter)
    hide_filters(monkeypatch)
    archives.unpack(archive, tmp_path / "copy")
    assert (tmp_path / "copy" / "files" / "aa" / "one.xlsx").read_bytes() == b"one"


@pytest.mark.parametrize("filters", [True, False])
@pytest.mark.parametrize(
    "name, kind", [("../outside", tarfile.REGTYPE), ("/outside", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)]
)
def test_an_archive_with_links_or_paths_outside_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: bytes, filters: bool
) -> None:
    if not filters:
        hide_filters(monkeypatch)
    member = tarfile.TarInfo(str(tmp_path / "outside") if name.startswith("/") else name)
    member.type, member.linkname = kind, str(tmp_path) if kind == tarfile.SYMTYPE else ""
    with tarfile.open(tmp_path / "backup.tar", "w") as tar:
        tar.addfile(member, io.BytesIO(b""))
    with pytest.raises(CommandError, match="is not an archive of a backup"):
        archives.unpack(tmp_path / "backup.tar", tmp_path / "copy")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "copy" / "link").is_symlink()
