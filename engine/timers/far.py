"""Level 1 of the wheel: slots by their number, however far ahead; only occupied ones exist."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from engine.timers.alarm import Alarmed

SHIFTS: Final = (14, 18, 29)
"""Bits of an instant below its slot number at level 0, at level 1, and below its window."""

PART: Final = 1_000
"""Copies that are looked at in one go."""

_, _WIDE, _WINDOW = SHIFTS
_WIDE_MASK: Final = (1 << _WINDOW - _WIDE) - 1

A = TypeVar("A", bound=Alarmed)


class Far(Generic[A]):
    """Slots of 4.4 minutes (2^18 ms) by number, in windows of 2,048 (6.2 days, 2^29).

    One bitmap tells which windows hold anything, and one for each of these which of its slots do.

    Attributes:
        slots: By number. Whoever finds one may append to it; always the same object.
    """

    __slots__ = ("_kept", "_occupied", "_swept", "_unswept", "_windows", "slots")

    def __init__(self) -> None:
        """Make it empty."""
        self.slots: dict[int, list[A]] = {}
        self._occupied: dict[int, int] = {}
        self._windows = 0
        # Slots that this round of sweeping has not been through; of the last of these, how many
        # copies it has been through, and which stay.
        self._unswept: list[int] = []
        self._swept = 0
        self._kept: dict[A, None] = {}

    def append(self, number: int, alarm: A) -> None:
        """Put a copy into a slot, which there may not be yet. O(1)."""
        slot = self.slots.get(number)
        if slot is not None:
            slot.append(alarm)
            return
        self.slots[number] = [alarm]
        window = number >> _WINDOW - _WIDE
        self._occupied[window] = self._occupied.get(window, 0) | 1 << (number & _WIDE_MASK)
        self._windows |= 1 << window

    def pop(self, number: int) -> list[A]:
        """Take a slot out. O(1)."""
        window = number >> _WINDOW - _WIDE
        occupied = self._occupied[window] ^ 1 << (number & _WIDE_MASK)
        if occupied:
            self._occupied[window] = occupied
        else:
            del self._occupied[window]
            self._windows ^= 1 << window
        return self.slots.pop(number)

    def first(self) -> int | None:
        """Tell the number of the first slot; None where there is none. O(1)."""
        if not self._windows:
            return None
        window = lowest(self._windows)
        return window << _WINDOW - _WIDE | lowest(self._occupied[window])

    @property
    def is_swept(self) -> bool:
        """Whether a round of sweeping is over."""
        return not self._unswept

    def begin_round(self) -> None:
        """Have all slots that there are swept once more. O(slots)."""
        self._unswept = list(self.slots)

    def sweep_part(self) -> tuple[int, int]:
        """Sweep a part of a slot; how many copies were looked at, and how many have gone.

        They go, and the slot where none stays, once all of it has been looked at.
        """
        number = self._unswept[-1]
        slot, kept = self.slots.get(number, []), self._kept
        part = slot[self._swept : self._swept + PART]
        self._swept += PART
        kept.update(dict.fromkeys([one for one in part if one.armed_at_ms >> _WIDE == number]))
        if self._swept < len(slot):
            return len(part), 0
        gone = len(slot) - len(kept) if slot else 0
        if gone:
            slot[:] = kept
        if gone and not kept:
            self.pop(number)
        self._unswept.pop()
        self._swept = 0
        kept.clear()
        return max(len(part), 1), gone


def lowest(bitmap: int) -> int:
    """Tell the place of the lowest bit that is set."""
    return (bitmap & -bitmap).bit_length() - 1
