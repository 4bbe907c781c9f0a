"""Deadlines in order, to the millisecond, with no tick.

`Deadlines` is a timer wheel whose entries are the alarms themselves; `Alarm` is the plainest
thing that can have a deadline. Both are pure: they are told the time, and never ask for it.
"""

from engine.timers.alarm import DUE_AT_MS_MAX, NEVER_AT_MS, Alarm, Alarmed
from engine.timers.wheel import Deadlines

__all__ = ["DUE_AT_MS_MAX", "NEVER_AT_MS", "Alarm", "Alarmed", "Deadlines"]
