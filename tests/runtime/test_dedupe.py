from __future__ import annotations

import itertools
import weakref
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.dedupe import HASH_CODE, SHARDS_GONE_AT_ONCE, Dedupe

WINDOW = 100


@pytest.mark.parametrize("later", [0, 1, WINDOW - 1])
def test_an_id_is_taken_once_within_the_window(later: int) -> None:
    dedupe = Dedupe(WINDOW, 1_000)
    assert dedupe.take("m", 1_000) is not None
    assert dedupe.take("m", 1_000 + later) is None


def test_an_id_is_forgotten_after_two_windows_also_where_nothing_came_meanwhile() -> None:
    dedupe = Dedupe(WINDOW, 1_000)
    dedupe.take("m", 1_000)
    assert dedupe.take("m", 1_000 + 2 * WINDOW) is not None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90)), max_size=30))
def test_an_id_is_remembered_for_a_window_at_least_and_two_at_most(
    script: list[tuple[str, int]],
) -> None:
    dedupe = Dedupe(WINDOW, 1_000)
    now = 1_000
    taken: dict[str, int] = {}
    for name, later in script:
        now += later
        fresh = dedupe.take(name, now) is not None
        age = now - taken.get(name, -10_000)
        if age < WINDOW:
            assert not fresh
        if age >= 2 * WINDOW:
            assert fresh
        if fresh:
            taken[name] = now


def test_it_never_remembers_more_than_it_may_and_counts_what_had_to_go() -> None:
    dedupe = Dedupe(WINDOW, 10)
    for number in range(1_000):
        assert dedupe.take(str(number), 1_000) is not None
        assert len(dedupe) <= 10
    assert dedupe.forgotten > 900


def test_what_was_taken_is_known_again_after_a_restart() -> None:
    dedupe = Dedupe(WINDOW, 1_000)
    hashes = array(HASH_CODE, [dedupe.take(name, 1_000) or 0 for name in ("a", "b")])
    again = Dedupe(WINDOW, 1_000)
    again.restore(1_000, hashes.tobytes())
    assert again.take("a", 1_050) is None
    assert again.take("b", 1_050) is None
    assert again.take("c", 1_050) is not None


def test_a_generation_grows_and_goes_a_shard_at_a_time() -> None:
    dedupe = Dedupe(WINDOW, 40_000)
    for number in range(20_000):
        dedupe.take(str(number), 1_000)
    assert max(map(len, dedupe.new)) < 2 * 20_000 // len(dedupe.new)
    shards = [weakref.ref(shard) for shard in dedupe.new]
    dedupe.turn(1_000)
    dedupe.turn(1_000)
    left = [sum(shard() is not None for shard in shards)]
    while left[-1]:
        dedupe.limit(1_000)
        left.append(sum(shard() is not None for shard in shards))
    went = {before - after for before, after in itertools.pairwise(left)}
    assert went == {SHARDS_GONE_AT_ONCE}
