"""Steps laid out flat, each led on to what follows it; how each kind is read is its reader's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from config.faults import nearest, shown
from config.schema import ID_LENGTH_MAX, STEP_KEYS, STEPS
from config.source import NOT_BUILT, Fields, Source, kind_of
from config.steps.branches import read_choose, read_exit, read_if
from config.steps.content import content_of
from config.steps.makings import read_emit, read_set
from config.steps.repeats import read_repeat
from config.steps.sends import read_send
from config.steps.splits import read_split
from config.steps.waits import read_wait
from config.yaml12 import Mapping, Node, Sequence
from engine.core.steps.kinds import END, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Mapping as MappingOf

Templates: TypeAlias = "MappingOf[tuple[str, str], frozenset[str]]"
"""What templates name, by their name and channel."""

Open: TypeAlias = tuple[int, str | int]
"""A position, and which way of its step is still to be led on: an attribute, or one of `ways`."""

Laid: TypeAlias = tuple[int, list[Open]]
"""Where steps begin (END: they are at fault, or there are none), and what goes on behind them."""

_STEP_HINT: Final = "write `- wait: 30m`, `- send: email`, `- if: CONDITION` or `- exit: reason`"

_READERS: Final[dict[str, Callable[[Program, Fields, str, str], Laid]]] = {
    "wait": read_wait,
    "send": read_send,
    "if": read_if,
    "split": read_split,
    "choose": read_choose,
    "set": read_set,
    "emit": read_emit,
    "repeat": read_repeat,
    "exit": read_exit,
}
"""Each lays out one step of its kind, given its keys, its id and its path; faults are told."""


class Program:
    """Steps laid out in the order of the file, each with the position that follows it.

    Args:
        source: The campaign's file.
        templates: What each template of the shop names, by its name and channel.
        live: Whether steps without an id deserve a warning.

    Attributes:
        steps: The flat program, as far as it is without fault.
        signatures: See `plan.Campaign`.
        sends: Whether there is a `send`, at fault or not.
        bandits: The keys of each `split` whose weights follow the goal.
        lines: Of each step, by its id.
        splits: The path of each `split`.
    """

    def __init__(self, source: Source, templates: Templates, *, live: bool) -> None:
        self.steps: list[Step] = []
        self.signatures: list[str] = []
        self.sends = False
        self.bandits: list[Fields] = []
        self.source = source
        self.templates = templates
        self._live = live
        self.lines: dict[str, int] = {}
        self.splits: list[str] = []
        self._times: list[int] = []

    def lay_out(self, node: Node | None) -> None:
        """Read the list under `steps`. O(steps)."""
        if node is None:
            return
        if isinstance(node, Sequence) and not node.items:
            self.source.fault(node.line, "steps is an empty list", _STEP_HINT)
        self.block(node, "steps")

    def block(self, node: Node, path: str) -> Laid:
        """Lay out a list of steps."""
        if not isinstance(node, Sequence):
            hint = "write a list, each step after a `- `"
            self.source.fault(node.line, f"{path} is {kind_of(node)}", hint)
            return END, []
        start, tails = END, list[Open]()
        for number, item in enumerate(node.items):
            at, behind = self._step(item, f"{path}.{number}")
            if at == END:
                continue
            if start == END:
                start = at
            elif not tails:
                told = f"the step {self.steps[at].id} is never reached"
                self.source.warn(item.line, told, "what stands before it always exits")
            for position, way in tails:
                self.lead(position, way, at)
            tails = behind
        return start, tails

    def lead(self, position: int, way: str | int, to: int) -> None:
        """Have a way of the step at a position go on at another one."""
        step = self.steps[position]
        if isinstance(way, int):
            ways: tuple[int, ...] = getattr(step, "ways")  # noqa: B009 - of whatever kind it is
            to_all = (*ways[:way], to, *ways[way + 1 :])
            self.steps[position] = msgspec.structs.replace(step, ways=to_all)
        else:
            self.steps[position] = msgspec.structs.replace(step, **{way: to})

    def way(self, at: int, way: str | int, node: Node | None, path: str) -> list[Open]:
        """Lay out the steps that a way of the step at a position takes; what goes on behind them.

        Where `at` is END, what they belong to is at fault: they may have faults of their own.
        """
        start, tails = (END, []) if node is None else self.block(node, path)
        if at != END and start == END:
            return [*tails, (at, way)]
        if at != END:
            self.lead(at, way, start)
        return tails

    @contextmanager
    def within(self, times: int) -> Iterator[list[int]]:
        """What is laid out meanwhile is within a repeat; gives the times of all around it."""
        self._times.append(times)
        yield self._times
        self._times.pop()

    def add(self, step: Step, path: str) -> int:
        """Put a step behind those laid out; its position."""
        signature = step.id if step.id != path else f"{path}\n{content_of(step)}"
        self.steps.append(step)
        self.signatures.append(signature)
        return len(self.steps) - 1

    def _step(self, node: Node, path: str) -> Laid:
        """Lay out one step; END where it is at fault, which is told."""
        kind = self._kind(node, path)
        if kind is None:
            return END, []
        assert isinstance(node, Mapping)
        fields = Fields(self.source, node, STEP_KEYS[kind], f"{path}.")
        return _READERS[kind](self, fields, self._id(fields, path, kind), path)

    def _kind(self, node: Node, path: str) -> str | None:
        if not isinstance(node, Mapping):
            self.source.fault(node.line, f"{path} is {kind_of(node)}", _STEP_HINT)
            return None
        found = [name for name in STEPS if name in node.entries]
        if not found:
            first = next(iter(node.entries), None)
            told = f"{path} is no step" if first is None else f"{path} is no step: {shown(first)}"
            hint = _STEP_HINT if first is None else nearest(first, STEPS)
            self.source.fault(node.line, told, hint)
            return None
        if len(found) > 1:
            told = f"{path} is several steps at once: {', '.join(found)}"
            self.source.fault(node.line, told, "begin each with a `- ` of its own")
            return None
        (kind,) = found
        if STEPS[kind].later:
            self.source.fault(node.lines[kind], f"{kind} {NOT_BUILT}", STEPS[kind].later)
            return None
        return kind

    def _id(self, fields: Fields, path: str, kind: str) -> str:
        given = fields.text("id")
        if given is not None and not (len(given) <= ID_LENGTH_MAX and given.isprintable()):
            fields.fault("id", f"is {shown(given)}", f"at most {ID_LENGTH_MAX} characters")
            given = None
        if given is None and self._live and _holds(kind, fields):
            hint = "with `id: …` users on their way keep their place when this file changes"
            self.source.warn(fields.node.line, f"{path} ({kind}) has no id", hint)
        step_id = given or path
        if step_id in self.lines:
            told = f"the id {step_id} is that of the step in line {self.lines[step_id]} too"
            self.source.fault(fields.line("id"), told, "give each step an id of its own")
        self.lines.setdefault(step_id, fields.line("id"))
        return step_id


def _holds(kind: str, fields: Fields) -> bool:
    """Whether users may be on their way in a step of this kind."""
    if kind == "repeat":
        node = fields.peek("repeat")
        return isinstance(node, Mapping) and "every" in node.entries
    return kind in {"wait", "send"}
