"""Wording and exit codes of the command line where nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from web.cli import _register_all, app, main

_register_all()


def _run(*arguments: str) -> Result:
    # Wide enough that a sentence stands on one line.
    return CliRunner(env={"DATABASE_URL": "", "COLUMNS": "300", "TERM": "dumb"}).invoke(app, list(arguments))


@pytest.mark.parametrize(
    "command",
    [
        ("status",), ("import", "/tmp"), ("export", "--target", "out"), ("roots", "list"), ("train",), ("bursts",),
        ("retry-failed",), ("reconcile",), ("backfill", "embed"), ("encoder", "list"), ("dead-letters", "list"),
        ("trace", "1"), ("doctor",), ("down",), ("xmp", "status"), ("xmp", "write", "--to", "out"), ("xmp", "read"),
        ("xmp", "allow", "1", "sidecar"), ("import-ratings", "mine.lrcat"), ("roots", "watch", "1"),
        ("roots", "unwatch", "1"), ("backup",), ("search", "index"), ("search", "status"),
    ],
)  # fmt: skip
def test_without_a_running_fineshyt_a_command_says_so_and_exits_with_2(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    done = _run(*command, "--home", str(tmp_path))

    assert done.exit_code == 2
    assert f"fineshyt is not running for {tmp_path}" in done.output


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("import", "/tmp", "--sample", "few"), "'few' is neither a number above zero nor `all`"),
        (("import", "/tmp", "--sample", "0"), "'0' is neither"),
        (("export", "--target", "out", "--size", "huge"), "'huge' is neither preview, original nor a number of pixels"),
        (("export", "--target", "out", "--raw"), "--keep-gps"),
        (("xmp", "write"), "--to FOLDER"),
        (("xmp", "write", "--to", "out", "--beside"), "--to FOLDER"),
        (("xmp", "allow", "1", "everything"), "'everything'"),
        (("import-ratings", "a.lrcat", "--map", "D:/Photos"), "FOLDER THERE=FOLDER HERE"),
        (("up", "--workers", "darkroom=2"), "'darkroom=2': give one of scan"),
    ],
)
def test_wrong_usage_is_explained(command: tuple[str, ...], words: str) -> None:
    done = _run(*command)

    assert done.exit_code == 2
    assert words in done.output


def test_it_is_called_fineshyt_however_it_was_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["/app/web/cli/__main__.py", "dead-letters", "--help"])

    with pytest.raises(SystemExit):
        main()

    assert "Usage: fineshyt dead-letters" in capsys.readouterr().out


def test_registering_again_adds_no_command_twice() -> None:
    _register_all()

    names = [command.name or command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]
    assert len(names) == len(set(names))


def test_every_command_has_help() -> None:
    assert _run("--help").exit_code == 0
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert _run(name, "--help").exit_code == 0
