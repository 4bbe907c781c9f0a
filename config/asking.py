"""What conditions ask of the past, against what is kept of it and what there is to ask for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from channels.base import CHANNEL_IDS
from config.faults import nearest, shown
from engine.core.cel.checked import Constant, Items, Operate, Variable, within
from engine.core.conditions.needs import EVENTS_MAX, asked_by, unsure
from engine.core.durations import format_duration
from engine.core.experiments import VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from config.faults import Findings
    from engine.core.cel import Program
    from engine.core.cel.checked import Asked, Checked

    Warn = Callable[[int, str, str], None]
    """Takes an offset in an expression, what is the matter there, and what would help."""

KEEP_MS: Final = 2_592_000_000
"""`events.keep` unless the settings say otherwise."""

_STEP: Final = re.compile(r"steps\.(\d+)")


class Memory(msgspec.Struct, frozen=True):
    """How much of the past a shop keeps: `history.max_events` of a name, events for `keep_ms`."""

    events_max: int = EVENTS_MAX
    keep_ms: int = KEEP_MS


class Mention(msgspec.Struct, frozen=True):
    """What a condition names and the shop may not have: where, and how a fault begins."""

    name: str
    path: str
    line: int
    column: int
    where: str


def warn_of_memory(program: Program, memory: Memory, warn: Warn, *, is_sound: bool = True) -> None:
    """Warn where a condition reads further back than is kept. O(size of the condition).

    How many events one reads cannot be told where the call of it, or what its answer is compared
    with, may be at fault (`is_sound`).
    """
    for asked in unsure(program, memory.events_max) if is_sound else ():
        told = f"{asked.function}() reads more than the {memory.events_max} events kept of a name"
        hint = "raise history.max_events"
        if asked.window_ms is None:
            told = f"{asked.function}() reads a whole life, of which {memory.events_max} are kept"
            hint = "give it a window"
        warn(asked.at, told, hint)
    for asked in asked_by(program):
        if asked.window_ms is not None and asked.window_ms > memory.keep_ms:
            kept = format_duration(memory.keep_ms)
            told = f"{asked.function}() reads {format_duration(asked.window_ms)} back"
            hint = f"events are kept for {kept}, and as it goes live it sees no more: events.keep"
            warn(asked.at, told, hint)


def check_receipts(
    receipts: Collection[Mention], campaigns: Collection[str], findings: Findings
) -> None:
    """Fault each `received()` that names neither a channel nor a campaign of the shop."""
    known = [*CHANNEL_IDS, *campaigns]
    for receipt in receipts:
        if receipt.name not in known:
            told = f"{receipt.where}: {shown(receipt.name)} is no channel and no campaign"
            hint = nearest(receipt.name, known)
            findings.fault(receipt.path, receipt.line, told, hint, column=receipt.column)


def check_variants(
    asked: Collection[Mention],
    variants: Collection[str],
    findings: Findings,
    first_split: int = 0,
) -> None:
    """Fault each comparison of `variant` with one that no split of its campaign has.

    Warn of one in a step that stands before all splits: `first_split` is the place, in the list
    under `steps`, of the first that is one or holds one.
    """
    for one in asked:
        step = _STEP.match(one.where)
        if one.name in variants and step and int(step[1]) < first_split:
            told = f"{one.where}: asks for the variant {shown(one.name)} before any split"
            hint = "nobody has one there: ask behind the split"
            findings.warn(one.path, one.line, told, hint, column=one.column)
        if one.name and one.name not in variants:
            told = f"{one.where}: no split of the campaign has the variant {shown(one.name)}"
            hint = nearest(one.name, sorted(variants)) or "there is no split in it"
            findings.fault(one.path, one.line, told, hint, column=one.column)


def variants_of(program: Program) -> Iterator[tuple[int, str]]:
    """What a condition compares `variant` with, each with its place in the text."""
    for part in within(program.tree):
        compared: tuple[Checked, ...] = ()
        match part:
            case Operate(_, "==" | "!=", operands):
                compared = operands
            case Operate(_, "in", (variable, Items(_, items))):
                compared = (variable, *items)
            case _:
                continue
        if any(isinstance(one, Variable) and one.name == VARIANT for one in compared):
            yield from (
                (one.at, one.value)
                for one in compared
                if isinstance(one, Constant) and isinstance(one.value, str)
            )


def receipts_of(program: Program) -> list[Asked]:
    """The calls of `received()` in a condition."""
    return [asked for asked in asked_by(program) if asked.function == "received"]
