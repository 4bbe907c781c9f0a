from __future__ import annotations

from engine.timers import NEVER_AT_MS, Alarm, Deadlines

START_AT_MS = 1_760_000_000_123
HOUR_MS = 3_600_000


def fired(deadlines: Deadlines[Alarm[str]], now_ms: int) -> list[tuple[int, str]]:
    return [(due_at_ms, alarm.key) for due_at_ms, alarm in deadlines.advance(now_ms)]


def test_a_deadline_that_only_moves_later_touches_the_wheel_once_and_fires_where_it_ends() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann = Alarm("ann")
    deadlines.insert(ann, START_AT_MS + HOUR_MS)
    for minute in range(1, 60):
        deadlines.insert(ann, START_AT_MS + HOUR_MS + minute * 60_000)
        assert ann.armed_at_ms == START_AT_MS + HOUR_MS
    last_at_ms = START_AT_MS + HOUR_MS + 59 * 60_000
    assert fired(deadlines, START_AT_MS + HOUR_MS) == []
    assert ann.armed_at_ms == last_at_ms
    assert fired(deadlines, last_at_ms - 1) == []
    assert fired(deadlines, last_at_ms) == [(last_at_ms, "ann")]
    assert len(deadlines) == 0


def test_an_owner_may_write_a_later_deadline_himself() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann = Alarm("ann")
    deadlines.insert(ann, START_AT_MS + HOUR_MS)
    ann.due_at_ms = START_AT_MS + 2 * HOUR_MS
    assert fired(deadlines, START_AT_MS + 2 * HOUR_MS - 1) == []
    assert fired(deadlines, START_AT_MS + 2 * HOUR_MS) == [(START_AT_MS + 2 * HOUR_MS, "ann")]


def test_a_deadline_that_moves_earlier_than_armed_is_armed_there() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann = Alarm("ann")
    deadlines.insert(ann, START_AT_MS + HOUR_MS)
    deadlines.insert(ann, START_AT_MS + 5)
    assert ann.armed_at_ms == START_AT_MS + 5
    assert fired(deadlines, START_AT_MS + 5) == [(START_AT_MS + 5, "ann")]
    assert fired(deadlines, START_AT_MS + 2 * HOUR_MS) == []


def test_a_deadline_that_moves_later_and_part_of_the_way_back_is_exact() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann = Alarm("ann")
    for hours in (1, 3, 2):
        deadlines.insert(ann, START_AT_MS + hours * HOUR_MS)
    assert ann.armed_at_ms == START_AT_MS + HOUR_MS
    assert fired(deadlines, START_AT_MS + 2 * HOUR_MS - 1) == []
    assert fired(deadlines, START_AT_MS + 2 * HOUR_MS) == [(START_AT_MS + 2 * HOUR_MS, "ann")]


def test_a_removed_deadline_is_gone_from_the_wheel_too_and_can_be_set_again() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann = Alarm("ann")
    deadlines.insert(ann, START_AT_MS + HOUR_MS)
    deadlines.insert(ann, START_AT_MS + 2 * HOUR_MS)
    for _ in range(2):
        deadlines.remove(ann)
        assert ann.due_at_ms == ann.armed_at_ms == NEVER_AT_MS
        assert ann not in deadlines
        assert deadlines.next_deadline() is None
    deadlines.insert(ann, START_AT_MS + 3 * HOUR_MS)
    assert ann in deadlines
    assert fired(deadlines, START_AT_MS + 3 * HOUR_MS) == [(START_AT_MS + 3 * HOUR_MS, "ann")]


def test_a_postponed_deadline_that_is_overdue_after_a_sleep_comes_out_in_its_place() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann, bob = Alarm("ann"), Alarm("bob")
    deadlines.insert(ann, START_AT_MS + 1_000)
    deadlines.insert(bob, START_AT_MS + 2_000)
    deadlines.insert(ann, START_AT_MS + 3_000)
    expected = [(START_AT_MS + 2_000, "bob"), (START_AT_MS + 3_000, "ann")]
    assert fired(deadlines, START_AT_MS + HOUR_MS) == expected


def test_the_consumer_may_set_the_next_deadline_while_one_fires() -> None:
    deadlines = Deadlines[Alarm[str]](START_AT_MS)
    ann = Alarm("ann")
    deadlines.insert(ann, START_AT_MS)
    offsets_ms = []
    for due_at_ms, alarm in deadlines.advance(START_AT_MS + HOUR_MS):
        offsets_ms.append(due_at_ms - START_AT_MS)
        deadlines.insert(alarm, due_at_ms + HOUR_MS // 4)
    assert offsets_ms == [0, 900_000, 1_800_000, 2_700_000, 3_600_000]
    assert ann.due_at_ms == START_AT_MS + HOUR_MS + 900_000
