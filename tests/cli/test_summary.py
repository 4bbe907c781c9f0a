from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config import write_starter
from engine.cli.summary import COLUMNS, laid_out

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a-rather-long-cart-abandonment-campaign-of-2026"
ROWS = [
    (LONG, "1,233", "in_app 887  push 120", "-", "887", "event 346  a-reason-of-its-own 12", "-"),
    ("welcome", "0", "-", "-", "0", "-", "-"),
]


def test_without_a_terminal_every_row_is_a_line_however_long() -> None:
    head, first, second = laid_out(COLUMNS, ROWS, None)
    assert head.split() == list(COLUMNS)
    assert first.startswith(f"{LONG}   1,233     in_app 887  push 120   -   ")
    assert second.split() == ["welcome", "0", "-", "-", "0", "-", "-"]


def test_columns_that_say_nothing_go_first() -> None:
    assert laid_out(COLUMNS, [("a", "1", "push 1", "-", "0", "-", "-")], 30) == [
        "campaign   entered   sent",
        "a          1         push 1",
    ]


def test_a_narrow_terminal_has_a_block_a_campaign() -> None:
    assert laid_out(COLUMNS, ROWS, 40) == [
        LONG,
        "  entered   1,233",
        "  sent      in_app 887  push 120",
        "  finished  887",
        "  exited    event 346",
        "            a-reason-of-its-own 12",
        "welcome: nothing",
    ]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 60, 80, 100, 120, 200])
def test_no_id_or_count_is_ever_cut(width: int) -> None:
    told = "\n".join(laid_out(COLUMNS, ROWS, width))
    assert "…" not in told
    for word in (LONG, "1,233", "in_app 887", "push 120", "event 346", "a-reason-of-its-own 12"):
        assert word in told


@pytest.mark.parametrize("columns", ["20", "40", "60", "80"])
def test_a_terminal_is_told_every_id_whole(tmp_path: Path, columns: str) -> None:
    write_starter(tmp_path / "shop")
    long = tmp_path / "shop/campaigns/long.yaml"
    long.write_text(f"campaign: {LONG}\nenter: {{event: Seen}}\nsteps: [{{exit: a-long-reason}}]\n")
    (tmp_path / "events.ndjson").write_text('{"user_id": "u", "event": "Seen", "timestamp": 1}\n')
    outer, inner = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "engine", "simulate", "shop", "--events", "events.ndjson"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": columns, "TERM": "xterm"},
        stdout=inner,
        check=True,
    )
    os.close(inner)
    told = os.read(outer, 1 << 16).decode()
    os.close(outer)
    assert LONG in told
    assert "a-long-reason 1" in told
    assert "…" not in told
