"""How runs of peers are counted."""

from __future__ import annotations

from bench.peers.__main__ import has_come


def test_a_delay_that_ran_twice_stands_for_no_other() -> None:
    once: list[dict[str, int | str]] = [{"name": "delay-0"}, {"name": "delay-0"}]

    assert not has_come(once, 2)
    assert has_come([*once, {"name": "delay-1"}], 2)
