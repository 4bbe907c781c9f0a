from __future__ import annotations

import gc

from engine.timers import DUE_AT_MS_MAX, NEVER_AT_MS, Alarm


def test_a_new_alarm_has_no_deadline() -> None:
    alarm = Alarm("ann")
    assert (alarm.key, alarm.due_at_ms, alarm.armed_at_ms) == ("ann", NEVER_AT_MS, NEVER_AT_MS)
    assert NEVER_AT_MS > DUE_AT_MS_MAX


def test_an_alarm_is_equal_to_itself_alone_and_can_be_looked_up_by_identity() -> None:
    ann, other = Alarm("ann"), Alarm("ann")
    places = {ann: 1, other: 2}
    ann.due_at_ms = 5
    assert ann != other
    assert (places[ann], places[other]) == (1, 2)


def test_the_collector_does_not_look_at_alarms() -> None:
    assert not gc.is_tracked(Alarm(["a key that could refer to anything"]))
