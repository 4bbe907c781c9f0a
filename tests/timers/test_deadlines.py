from __future__ import annotations

from engine.timers import Deadlines

START_AT_MS = 1_760_000_000_123
HOUR_MS = 3_600_000


def test_a_deadline_that_only_moves_later_touches_the_wheel_once_and_fires_at_its_last_place() -> (
    None
):
    deadlines = Deadlines[str](START_AT_MS)
    deadlines.insert("ann", START_AT_MS + HOUR_MS)
    for minute in range(1, 60):
        deadlines.insert("ann", START_AT_MS + HOUR_MS + minute * 60_000)
        assert deadlines.armed_of("ann") == START_AT_MS + HOUR_MS
    last_at_ms = START_AT_MS + HOUR_MS + 59 * 60_000
    assert list(deadlines.advance(START_AT_MS + HOUR_MS)) == []
    assert deadlines.armed_of("ann") == last_at_ms
    assert list(deadlines.advance(last_at_ms - 1)) == []
    assert list(deadlines.advance(last_at_ms)) == [(last_at_ms, "ann")]
    assert len(deadlines) == 0


def test_a_deadline_that_moves_earlier_than_armed_is_armed_there() -> None:
    deadlines = Deadlines[str](START_AT_MS)
    deadlines.insert("ann", START_AT_MS + HOUR_MS)
    deadlines.insert("ann", START_AT_MS + 5)
    assert deadlines.armed_of("ann") == START_AT_MS + 5
    assert list(deadlines.advance(START_AT_MS + 5)) == [(START_AT_MS + 5, "ann")]
    assert list(deadlines.advance(START_AT_MS + 2 * HOUR_MS)) == []


def test_a_deadline_that_moves_later_and_part_of_the_way_back_is_exact() -> None:
    deadlines = Deadlines[str](START_AT_MS)
    deadlines.insert("ann", START_AT_MS + HOUR_MS)
    deadlines.insert("ann", START_AT_MS + 3 * HOUR_MS)
    deadlines.insert("ann", START_AT_MS + 2 * HOUR_MS)
    assert deadlines.armed_of("ann") == START_AT_MS + HOUR_MS
    assert list(deadlines.advance(START_AT_MS + 2 * HOUR_MS - 1)) == []
    fired = list(deadlines.advance(START_AT_MS + 2 * HOUR_MS))
    assert fired == [(START_AT_MS + 2 * HOUR_MS, "ann")]


def test_a_removed_deadline_is_gone_from_the_wheel_too() -> None:
    deadlines = Deadlines[str](START_AT_MS)
    deadlines.insert("ann", START_AT_MS + HOUR_MS)
    deadlines.insert("ann", START_AT_MS + 2 * HOUR_MS)
    assert deadlines.remove("ann") == START_AT_MS + 2 * HOUR_MS
    assert deadlines.remove("ann") is None
    assert "ann" not in deadlines
    assert deadlines.armed_of("ann") is None
    assert deadlines.next_deadline() is None


def test_a_postponed_deadline_that_is_overdue_after_a_sleep_comes_out_in_its_place() -> None:
    deadlines = Deadlines[str](START_AT_MS)
    deadlines.insert("ann", START_AT_MS + 1_000)
    deadlines.insert("bob", START_AT_MS + 2_000)
    deadlines.insert("ann", START_AT_MS + 3_000)
    fired = list(deadlines.advance(START_AT_MS + HOUR_MS))
    assert fired == [(START_AT_MS + 2_000, "bob"), (START_AT_MS + 3_000, "ann")]


def test_the_consumer_may_set_the_next_deadline_while_one_fires() -> None:
    deadlines = Deadlines[str](START_AT_MS)
    deadlines.insert("ann", START_AT_MS)
    fired = []
    for due_at_ms, key in deadlines.advance(START_AT_MS + HOUR_MS):
        fired.append(due_at_ms - START_AT_MS)
        deadlines.insert(key, due_at_ms + HOUR_MS // 4)
    assert fired == [0, 900_000, 1_800_000, 2_700_000, 3_600_000]
    assert deadlines.due_of("ann") == START_AT_MS + HOUR_MS + 900_000
