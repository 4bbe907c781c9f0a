"""How many connections fit into the files that a process may open."""

from __future__ import annotations

import resource

import pytest

from engine.server import connections_within, raise_open_files


@pytest.mark.parametrize(
    ("files", "connections"),
    [(65_536, 4096), (4296, 4096), (1024, 824), (300, 100), (240, 60), (20, 5), (3, 1)],
)
def test_files_are_left_for_all_else(files: int, connections: int) -> None:
    assert connections == connections_within(files, reserved=200, most=4096)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = min(soft, hard if hard != resource.RLIM_INFINITY else soft, 4096) - 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, hard))
    try:
        raised = raise_open_files()

        assert lower < raised <= 65_536
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
