from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.inputs import EventReceived, UserIdentified
from engine.errors import HairspringError
from engine.sim import ordering
from engine.sim.ordering import in_order


def inputs_of(instants: list[int]) -> list[EventReceived | UserIdentified]:
    return [
        EventReceived(f"u{place}", "Seen", at_ms, at_ms, message_id=f"m{place}")
        if place % 3
        else UserIdentified(f"u{place}", at_ms, at_ms)
        for place, at_ms in enumerate(instants)
    ]


@given(st.lists(st.integers(0, 20)), st.integers(1, 7))
def test_inputs_come_in_order_of_arrival_and_the_files_order_at_equal_instants(
    instants: list[int], run_max: int
) -> None:
    expected = sorted(inputs_of(instants), key=lambda happened: happened.received_at_ms)
    actual = list(in_order(inputs_of(instants), run_max=run_max))
    assert expected == actual


@given(st.lists(st.integers(0, 20)).map(sorted), st.integers(1, 7))
def test_runs_of_a_recording_in_order_are_read_one_after_the_other(
    instants: list[int], run_max: int
) -> None:
    assert list(in_order(inputs_of(instants), run_max=run_max)) == inputs_of(instants)


def test_a_run_ends_where_its_properties_are_large() -> None:
    large = inputs_of([3, 2, 1, 3, 2, 1])
    expected = sorted(large, key=lambda happened: happened.received_at_ms)
    assert list(in_order(large, run_bytes_max=4)) == expected


def test_runs_longer_than_a_block_are_merged() -> None:
    instants = [(place * 7_919) % 9_001 for place in range(9_000)]
    merged = [happened.received_at_ms for happened in in_order(inputs_of(instants), run_max=4_500)]
    assert merged == sorted(instants)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_temporary_folder_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # A device on which every write fails, as on a full disk.
    monkeypatch.setattr(ordering, "TemporaryFile", partial(open, "/dev/full", "w+b"))
    with pytest.raises(HairspringError, match="no room to put the events into order") as raised:
        list(in_order(inputs_of([1, 2, 3]), run_max=2))
    assert "TMPDIR" in raised.value.hint
