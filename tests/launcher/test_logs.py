"""The output of ``bin/up``: the lines of every process, and sentences about their state."""

from pathlib import Path

import pytest

from config.ops.launcher.logs import Log, Logs


def test_new_lines_are_read_complete_and_once(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("from an earlier start\n")
    log = Log(path)
    with path.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert list(log.lines()) == ["one"]
        file.write("o\n")
        file.flush()
        assert list(log.lines()) == ["two"]
        assert list(log.lines()) == []


def test_no_line_is_lost_when_the_file_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    log = Log(path)
    with path.open("a") as file:
        file.write("last of the old\n")
    path.rename(tmp_path / "web.log.1")
    assert list(log.lines()) == ["last of the old"]
    path.write_text("first of the new\n")
    assert list(log.lines()) == ["first of the new"]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path, ["web"])


def test_each_line_names_its_process(logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.log").write_text('12:00:00 web      INFO    ours\n\n{"process": "web"}\nTraceback\n')
    logs.show()
    assert capsys.readouterr().out.splitlines() == [
        "12:00:00 web      INFO    ours",
        '{"process": "web"}',
        "         web      Traceback",
    ]


def test_exits_and_kills_in_the_supervisor_s_log_are_reported(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "supervisord.log").write_text(
        "2026-01-01 12:00:00,000 INFO success: web entered RUNNING state, process has stayed up for > than 5 seconds\n"
        "2026-01-01 12:00:00,000 WARN exited: web (terminated by SIGKILL; not expected)\n"
        "2026-01-01 12:00:00,000 WARN killing 'worker' (123) with SIGKILL\n"
    )
    logs.show()
    output = capsys.readouterr().out
    assert f"web ended unexpectedly (terminated by SIGKILL). Restarting it; see {tmp_path}/web.log." in output
    assert "worker did not stop in time and was killed" in output
    assert len(output.splitlines()) == 2
