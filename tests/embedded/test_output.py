"""The stream of ``up``: every process's lines, and sentences about what becomes of it."""

from pathlib import Path

import pytest

from config.embedded.output import Log, Logs


def test_lines_are_read_whole_and_once_from_where_the_file_ended(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("of an earlier start\n")
    log = Log(path)
    with path.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert list(log.lines()) == ["one"]
        file.write("o\n")
        file.flush()
        assert list(log.lines()) == ["two"]
        assert list(log.lines()) == []


def test_none_is_lost_when_the_file_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    log = Log(path)
    with path.open("a") as file:
        file.write("last of the old\n")
    path.rename(tmp_path / "web.log.1")
    assert list(log.lines()) == ["last of the old"]
    path.write_text("first of the new\n")
    assert list(log.lines()) == ["first of the new"]


@pytest.fixture
def told() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def logs(tmp_path: Path, told: list[tuple[str, ...]]) -> Logs:
    return Logs(tmp_path, ["web"], on_end=lambda *what: told.append(what), on_give_up=lambda *what: told.append(what))


def test_each_line_names_its_process(logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.log").write_text('12:00:00 web      INFO    ours\n\n{"process": "web"}\nTraceback\n')
    logs.show()
    assert capsys.readouterr().out.splitlines() == [
        "12:00:00 web      INFO    ours",
        '{"process": "web"}',
        "         web      Traceback",
    ]


def test_what_the_supervisor_notes_is_passed_on(
    logs: Logs, told: list[tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "supervisord.log").write_text(
        "2026-01-01 12:00:00,000 INFO success: web entered RUNNING state, process has stayed up for > than 5 seconds\n"
        "2026-01-01 12:00:00,000 WARN exited: web (terminated by SIGKILL; not expected)\n"
        "2026-01-01 12:00:00,000 INFO gave up: beat entered FATAL state, too many start retries too quickly\n"
        "2026-01-01 12:00:00,000 WARN killing 'worker' (123) with SIGKILL\n"
    )
    logs.show()
    assert told == [("web", "terminated by SIGKILL"), ("beat",)]
    assert "worker did not end in time and was killed" in capsys.readouterr().out
