from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, BinaryIO

import pytest

from config import write_starter
from engine.cli import COMMANDS, main
from engine.cli.terminal import PIPE_CLOSED

if TYPE_CHECKING:
    from pathlib import Path


def told(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["hairspring", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["chek", "x"], "there is no command chek; did you mean check?"),
        (["Check", "x"], "there is no command Check; did you mean check?"),
        (["zzz"], "there is no command zzz; known are: demo, init, check, diff, serve, "),
        (["explain", "u1"], "Missing argument 'CAMPAIGN'\n  see: hairspring explain --help"),
        (["explain", "u1", "c", "--at", "noon"], "Invalid value for '--at': 'noon' is no instant"),
        (["--verison"], "hairspring has no option --verison; did you mean --version?"),
        (["check", "--jsn", "."], "hairspring check has no option --jsn; did you mean --json?"),
        (["init", "-z"], "hairspring init has no option -z; known are: --json, "),
        (["simulate", ".", "--event", "x"], "hairspring simulate has no option --event; did you"),
        (["serve", ".", "--prot", "1"], "hairspring serve has no option --prot; did you mean --po"),
        (["trigger", "c"], "say whom: --user ID, or --segment ID"),
        (["trigger", "c", "--user", "u", "--content", "[1]"], "write an object"),
        (["trigger", "c", "--segment", "s", "--over", "1h", "--per-second", "5"], "leave one"),
        (["check"], "Missing argument 'SHOP'\n  see: hairspring check --help"),
        (["check", "nowhere"], "Invalid value for 'SHOP': Directory 'nowhere' does not exist"),
        (["demo", "--port", "x"], "Invalid value for '--port': 'x' is not a whole number"),
        *(
            (["demo", "--speed", speed], f"{speed!r} is no speed; give a number from 1 to 100000")
            for speed in ("nan", "inf", "-inf", "0", "0.99", "-1", "1e400", "100001", "x", "")
        ),
        (["demo", "--for", "0s"], "0s is too short; give 1s or more"),
        (["demo", "--for", "5"], "'5' is not a duration; write whole numbers with units"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_names_what_is_right(
    args: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, error = told(args, monkeypatch, capsys)
    assert code == 2
    assert error.startswith("error: ")
    assert line in error
    assert "\n  see: hairspring" in error


def test_no_command_at_all_is_answered_by_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = told([], monkeypatch, capsys)
    assert code == 2
    assert error.startswith("Usage: hairspring")
    assert all(f"  {command} " in error for command in COMMANDS)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_starter(tmp_path / "shop")
    lines = (
        f'{{"user_id":"u{number}","event":"Product Added","timestamp":{number},'
        f'"properties":{{"price":50}}}}\n'
        for number in range(2_000)
    )
    (tmp_path / "events.ndjson").write_text("".join(lines))
    return tmp_path / "shop"


def run_into(output: BinaryIO, args: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command whose standard output is this file."""
    return subprocess.run(
        [sys.executable, "-m", "engine", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["check", "--help"],
        ["check", "shop"],
        ["check", "shop", "--json"],
        ["init", "new"],
        ["simulate", "shop", "--events", "events.ndjson"],
        ["simulate", "shop", "--events", "events.ndjson", "--json"],
        ["simulate", "shop", "--events", "events.ndjson", "--out", "-"],
        ["demo", "--for", "9s", "--port", "0"],
    ],
    ids=" ".join,
)
def test_where_nobody_reads_a_command_ends_quietly(args: list[str], shop: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as closed:
        done = run_into(closed, args, shop.parent)
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, "")


@pytest.mark.parametrize(
    "args",
    [["check", "shop"], ["simulate", "shop", "--events", "events.ndjson", "--out", "-"]],
    ids=" ".join,
)
def test_a_full_disk_is_told_without_a_traceback(args: list[str], shop: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = run_into(full, args, shop.parent)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
