"""Deadlines in order, to the millisecond, with no tick: the wheel and its lazy face.

`Wheel` holds at most one entry a key and gives them back in order of instant. `Deadlines`
is what an owner of many deadlines that keep moving later wants: it touches the wheel only
when a deadline moves earlier. Both are pure: they are told the time, and never ask for it.
"""

from engine.timers.deadlines import NEVER_AT_MS, Alarm, Alarmed, Deadlines
from engine.timers.wheel import DUE_AT_MS_MAX, Wheel

__all__ = ["DUE_AT_MS_MAX", "NEVER_AT_MS", "Alarm", "Alarmed", "Deadlines", "Wheel"]
