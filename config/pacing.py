"""What is wrong with `[guardrails]` as a whole: quiet hours, caps, a holdout of everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from config.tomlplaces import Path
from engine.core.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.settings import Cap, Guardrails, QuietHours


class Finding(msgspec.Struct, frozen=True):
    """A fault, or a warning.

    Attributes:
        about: The keys of the section that it follows from.
        path: Where in the section it is told.
        message: What is wrong.
        hint: What would be right.
        is_harmless: Whether it is a warning.
    """

    about: Path
    path: Path
    message: str
    hint: str
    is_harmless: bool = False


def pacing_findings(guardrails: Guardrails, keep_ms: int) -> Iterator[Finding]:
    """All that is found; `keep_ms` is how far back the archive goes. O(caps^2)."""
    if guardrails.holdout == 1:
        told = "guardrails.holdout is everybody: no campaign sends anything but receipts"
        yield Finding(("holdout",), ("holdout",), told, "lower it", is_harmless=True)
    if guardrails.quiet_hours is not None:
        yield from _of_quiet_hours(guardrails.quiet_hours)
    for number, cap in enumerate(guardrails.caps):
        yield from _of_cap(number, cap, guardrails, keep_ms)


def _of_quiet_hours(quiet: QuietHours) -> Iterator[Finding]:
    if quiet.from_clock == quiet.to_clock:
        yield Finding(
            ("quiet_hours", "from"),
            ("quiet_hours", "to"),
            f"guardrails.quiet_hours never end: from and to are both {quiet.from_clock}",
            'name the time from which messages go again, like from = "21:00", to = "08:00"',
        )
    if quiet.days == ():
        told = "guardrails.quiet_hours.days names no day: it is never quiet"
        place: Path = ("quiet_hours", "days")
        yield Finding(place, place, told, "leave days out for every day", is_harmless=True)


def _of_cap(number: int, cap: Cap, guardrails: Guardrails, keep_ms: int) -> Iterator[Finding]:
    about: Path = ("caps",)
    told, place = f"guardrails.caps[{number}]", (*about, number)
    if not cap.per_ms:
        wrong = f"{told}.per is no time at all: nothing is ever counted"
        yield Finding(about, (*place, "per"), wrong, 'a duration like "1h" or "7d"')
        return
    moot = _moot(number, cap, guardrails)
    if moot:
        yield Finding(about, place, f"{told} never decides: {moot}", "remove it", is_harmless=True)
    if cap.per_ms > keep_ms:
        short = f"{told}.per is longer than events.keep: new caps know only what is kept"
        yield Finding(about, place, short, "raise events.keep", is_harmless=True)


def _moot(number: int, cap: Cap, guardrails: Guardrails) -> str:
    """What says no wherever this cap would; "" where it may be the one that decides.

    Another decides wherever it counts all that this one counts, for no shorter, up to no more.
    """
    if cap.per_ms <= guardrails.spacing_ms:
        spacing = format_duration(guardrails.spacing_ms)
        return f"spacing lets no second message through within {spacing}"
    for place, other in enumerate(guardrails.caps):
        if place == number or other.channel not in {None, cap.channel}:
            continue
        is_same = (other.max, other.per_ms, other.channel) == (cap.max, cap.per_ms, cap.channel)
        if other.max <= cap.max and other.per_ms >= cap.per_ms and (not is_same or place < number):
            where = f" by {other.channel}" if other.channel else ""
            per = format_duration(other.per_ms)
            return f"caps[{place}] allows no more than {other.max} in {per}{where}"
    return ""
