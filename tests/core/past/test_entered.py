from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.past.entered import (
    COUNT_MAX,
    FEW,
    Entries,
    count_entries,
    count_of,
    each_entry,
    ended_at_ms,
    is_served,
    join_marks,
    newest_entry,
    only_entries,
    with_count,
    with_end,
    with_entry,
    with_served,
)
from engine.core.state import User, decode_user, encode_user

KEYS = st.sampled_from([f"k{number}" for number in range(FEW * 2)])


@given(st.lists(st.tuples(KEYS, st.integers(0, 9), st.integers(1, 3)), max_size=30))
def test_entries_are_a_map_from_key_to_the_newest_however_many(
    told: list[tuple[str, int, int]],
) -> None:
    entries: Entries = ()
    expected: dict[str, tuple[int, int]] = {}
    for key, at_ms, count in told:
        entries = with_entry(entries, key, at_ms, count)
        expected[key] = (at_ms, count)
        assert newest_entry(entries, key) == (at_ms, count)
    assert list(each_entry(entries)) == list(expected.items())
    assert count_entries(entries) == len(expected)
    kept = only_entries(entries, lambda _, entry: entry[0] > 4)
    assert dict(each_entry(kept)) == {key: one for key, one in expected.items() if one[0] > 4}
    assert (
        dict(each_entry(decode_user(encode_user(User("u", entries=entries))).entries)) == expected
    )


@pytest.mark.parametrize("size", [0, 1, FEW])
def test_a_few_take_no_map(size: int) -> None:
    entries: Entries = ()
    for number in range(size):
        entries = with_entry(entries, str(number), number, 1)
    assert isinstance(entries, tuple)
    assert newest_entry(entries, "other") is None


def test_entries_that_an_earlier_version_saved_are_read() -> None:
    saved = msgspec.msgpack.encode({"user_id": "u", "entries": {"c": [5, 2]}})
    assert newest_entry(decode_user(saved).entries, "c") == (5, 2)


INSTANTS = st.integers(0, 1 << 42)
COUNTS = st.integers(1, COUNT_MAX)


@given(ends=st.lists(INSTANTS, max_size=4), count=COUNTS, other=COUNTS, others_end=INSTANTS)
def test_marks_tell_the_count_the_latest_end_and_whether_anything_was_delivered(
    ends: list[int], count: int, other: int, others_end: int
) -> None:
    entries = with_entry((), "c", 5, count)
    for at_ms in ends:
        entries = with_end(entries, "c", at_ms)
    entries = with_end(entries, "forgotten", 9)
    _, marks = newest_entry(entries, "c") or (0, 0)
    latest = max(ends, default=0)
    assert (count_of(marks), ended_at_ms(marks), is_served(marks)) == (count, latest, False)
    _, marks = newest_entry(with_served(entries, "c"), "c") or (0, 0)
    assert (count_of(marks), ended_at_ms(marks), is_served(marks)) == (count, latest, True)
    assert count_of(with_count(marks, other)) == other
    assert marks < 1 << 64  # what can be saved
    _, theirs = newest_entry(with_end(with_entry((), "c", 7, other), "c", others_end), "c") or (
        0,
        0,
    )
    for joined in (join_marks(marks, theirs), join_marks(theirs, marks)):
        assert is_served(joined)
        assert ended_at_ms(joined) == max(latest, others_end)


def test_what_is_not_kept_is_not_made_up() -> None:
    assert with_end((), "c", 5) == with_served((), "c") == ()


@pytest.mark.parametrize("others", [0, 1, 2, FEW, FEW + 1])
@pytest.mark.parametrize("earlier", [False, True])
def test_an_end_is_kept_beside_whatever_else_there_is(others: int, *, earlier: bool) -> None:
    entries: Entries = {} if earlier else ()  # a version kept maps alone
    for number in range(others):
        entries = with_entry(entries, f"k{number}", number, 1)
    entries = with_served(with_entry(entries, "c", 5, 3), "c")
    for at_ms in (9, 7):
        entries = with_end(entries, "c", at_ms)
    _, marks = newest_entry(entries, "c") or (0, 0)
    assert (ended_at_ms(marks), count_of(marks), is_served(marks)) == (9, 3, True)
    assert count_entries(entries) == others + 1
