from __future__ import annotations

import os
import pty
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.cli import terminal
from engine.cli.terminal import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def shown(patch: pytest.MonkeyPatch, *, after_ns: int) -> Iterator[int]:
    """Standard error is a terminal, which can be read here; progress is shown after so long."""
    outer, inner = pty.openpty()
    with patch.context() as within, os.fdopen(inner, "w", encoding="utf-8") as stream:
        within.setenv("TERM", "xterm")
        within.setattr(sys, "stderr", stream)
        within.setattr(terminal, "_PROGRESS_AFTER_NS", after_ns)
        yield outer
    os.close(outer)


def read_until(seen: int, mark: bytes) -> bytes:
    said = b""
    while mark not in said:
        said += os.read(seen, 1 << 16)
    return said


def test_long_work_is_shown_before_it_tells_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    with shown(monkeypatch, after_ns=0) as seen, progress_bar("auditing"):
        assert read_until(seen, b"auditing")


def test_short_work_is_not_shown_whatever_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    with shown(monkeypatch, after_ns=1 << 62) as seen:
        with progress_bar("auditing") as told:
            for done in range(10):
                told(done, 10)
        print("done", file=sys.stderr, flush=True)
        assert b"auditing" not in read_until(seen, b"done")
