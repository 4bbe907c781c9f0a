"""What came of shop tests, at the terminal: for one that failed, what was expected beside what was.

In the words of the test file, so that a line can be copied into it, and in order of time:

    - +15m   Mon 09:15:00  ada  sent: push, template: cart-reminder           (line 21)
    + +15m   Mon 09:15:00  ada  sent: in_app, template: cart-reminder, step: push
                                channel is 'in_app', not 'push'
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.core.durations import format_duration
from engine.core.instants import to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from config import ShopTest
    from engine.cli.testing import Ran
    from engine.sim.alignment import Aligned
    from engine.sim.testing import Outcome

LINES_MAX = 200
"""Lines of one comparison that are told."""

STYLES = {"-": "red", "+": "green", "": ""}


def print_outcomes(ran: Sequence[Ran]) -> None:
    """Print each test with its outcome, file by file, and how many there were of each."""
    from rich.text import Text

    from engine.cli.terminal import plain_console

    console = plain_console()
    for path, group in groupby(ran, key=lambda one: one[0].path):
        console.print(Text(path, style="bold"))
        for test, outcome, _ in group:
            _print_one(console, test, outcome)
    failed = sum(not outcome.passed for _, outcome, _ in ran)
    told = f"{len(ran)} test{'' if len(ran) == 1 else 's'}: {len(ran) - failed} passed"
    if failed:
        console.print(Text(f"{told}, {failed} failed", style="red"))
    else:
        console.print(Text(told, style="green"))


def _print_one(console: Console, test: ShopTest, outcome: Outcome) -> None:
    from rich.text import Text

    name = _printable(test.name)
    if outcome.passed:
        console.print(Text.assemble(("  passed  ", "green"), name))
        return
    console.print(Text.assemble(("  FAILED  ", "red"), (name, "bold"), f" (line {test.line})"))
    for mark, line in comparison(test, outcome):
        console.print(Text(f"    {_printable(line)}".rstrip(), style=STYLES[mark]))


def comparison(test: ShopTest, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """The lines of a failed test's comparison, each with its mark."""
    if any(line.mark for line in outcome.lines):
        yield "", "- expected, did not happen; + happened, was not expected"
        yield from _aligned(test, outcome.lines[:LINES_MAX])
        if len(outcome.lines) > LINES_MAX:
            yield "", f"and {len(outcome.lines) - LINES_MAX} lines more"
    for fault in outcome.faults:
        yield "-", fault
    for note in outcome.notes:
        yield "", note


def _aligned(test: ShopTest, lines: Sequence[Aligned]) -> Iterator[tuple[str, str]]:
    zone = ZoneInfo(test.zone)
    heads = [_head(line, test.start_at_ms, zone) for line in lines]
    widths = [max(map(len, column)) for column in zip(*heads, strict=True)]
    for line, head in zip(lines, heads, strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True))
        said = ", ".join(f"{name}: {text}" for name, text in line.said.items())
        place = f"  (line {line.line})" if line.mark and line.line else ""
        yield line.mark, f"{line.mark or ' '} {cells}  {said}{place}"
        for differs in line.differs:
            yield line.mark, f"{'':{len(cells) + 4}}{differs}"


def _head(line: Aligned, start_at_ms: int, zone: ZoneInfo) -> tuple[str, str, str]:
    """When, from the start on and by the clock, and to whom."""
    if line.at_ms is None:
        return "", "", line.user_id
    after_ms = line.at_ms - start_at_ms
    relative = f"{'-' if after_ms < 0 else '+'}{format_duration(abs(after_ms))}"
    return relative, _clock(to_datetime(line.at_ms).astimezone(zone)), line.user_id


def _clock(moment: datetime) -> str:
    """`Mon 2026-01-05 09:15:00`, and milliseconds where there are any."""
    fraction = f".{moment.microsecond // 1000:03d}" if moment.microsecond else ""
    return f"{moment:%a %Y-%m-%d %H:%M:%S}{fraction}"


def _printable(text: str) -> str:
    """What users and events say may hold what would steer a terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
