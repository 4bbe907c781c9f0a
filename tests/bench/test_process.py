"""Servers that benchmarks run in processes of their own."""

from __future__ import annotations

import pytest

from bench.process import Server

_STAYS = ["-c", "print('events on http://127.0.0.1:1', flush=True); input()"]


def test_a_server_that_was_killed_may_be_killed_again() -> None:
    server = Server(_STAYS)

    server.kill()
    server.kill()


def test_a_server_that_does_not_start_is_told_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="no such shop"):
        Server(["-c", "raise SystemExit('no such shop')"])
