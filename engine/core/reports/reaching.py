"""How often enrollments came to each step, from counts alone.

A send, a branch and an exit leave a record each time, and where such a step goes on is known; a
wait leaves none. So a step is reached as often as its own records say, else as often as those
before it led there, and behind a wait whose way is its own doing as often as what follows tells.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.core.reports.tallies import STOOD_IN
from engine.core.steps.kinds import (
    END,
    WAITS,
    Choose,
    Exit,
    If,
    Repeat,
    Send,
    Split,
    WaitEvent,
    WaitWhen,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.plan import Campaign
    from engine.core.reports.tallies import Key
    from engine.core.steps.kinds import Step


def reached(
    campaign: Campaign,
    counts: Mapping[Key, float],
    branched: Mapping[tuple[str, str], int],
    waiting: Mapping[str, int],
) -> dict[str, int]:
    """By step. O(keys + steps * branches).

    Args:
        campaign: Whose steps.
        counts: All that was counted of it.
        branched: By step and way, or variant: how often.
        waiting: By step: enrollments that are in it now.
    """
    flow = _Flow(campaign, counts, branched, waiting)
    return {step.id: flow.into[position] for position, step in enumerate(campaign.steps)}


class _Flow:
    def __init__(
        self,
        campaign: Campaign,
        counts: Mapping[Key, float],
        branched: Mapping[tuple[str, str], int],
        waiting: Mapping[str, int],
    ) -> None:
        self._steps = campaign.steps
        self._branched, self._waiting = branched, waiting
        self._own: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._entered = 0
        for key, count in counts.items():
            if key.kind in {"sent", "skipped"}:
                self._own[key.step] += int(count)
            elif key.kind == STOOD_IN:
                self._own[key.step] -= int(count)
            elif key.kind == "exited":
                self._left[key.step] += int(count)
            elif key.kind == "entered":
                self._entered += int(count)
        self.into = self._told_before()
        for position in reversed(range(len(campaign.steps))):
            if position not in self.into:
                step = self._steps[position]
                self.into[position] = self._out(position) + self._waiting.get(step.id, 0)

    def _told_before(self) -> dict[int, int]:
        """How often each step was reached of which its own records tell, or what leads to it."""
        before: dict[int, list[int]] = {}
        for position, step in enumerate(self._steps):
            for way in dict.fromkeys(_ways(step, position)):
                if way > position:  # a repeat leads back: it is reached as often as from before
                    before.setdefault(way, []).append(position)
        into = self.into = dict[int, int]()
        for position, step in enumerate(self._steps):
            ways = before.get(position, ())
            match step:
                case Send():
                    into[position] = self._own[step.id] + self._waiting.get(step.id, 0)
                case If() | Choose() | Split():
                    of_step = [count for (at, _), count in self._branched.items() if at == step.id]
                    into[position] = sum(of_step)
                case Exit():
                    into[position] = self._left[step.id]
                case _ if all(at in into and _is_one_way(self._steps[at]) for at in ways):
                    from_start = self._entered if position == 0 else 0
                    into[position] = from_start + sum(self._along(at, position) for at in ways)
                case _:
                    pass
        return into

    def _along(self, at: int, position: int) -> int:
        """How often a step led to another one."""
        step = self._steps[at]
        match step:
            case If(then=then):
                way = "then" if position == then else "else"
                return self._branched.get((step.id, way), 0)
            case Choose(ways=ways):
                ways_there = [str(place) for place, way in enumerate(ways) if way == position]
                told = ways_there + (["else"] if step.next == position else [])
                return sum(self._branched.get((step.id, way), 0) for way in told)
            case Split(ways=ways, weights=weights):
                there = [name for name, way in zip(weights, ways, strict=True) if way == position]
                return sum(self._branched.get((step.id, name), 0) for name in there)
            case Send():
                return self.into[at] - self._waiting.get(step.id, 0)
            case _:
                return self.into[at]

    def _out(self, position: int) -> int:
        """How often a wait was over, as far as what follows tells."""
        ways = [way for way in dict.fromkeys(_ways(self._steps[position], position)) if way != END]
        return sum(self.into[way] for way in ways if way > position)


def _is_one_way(step: Step) -> bool:
    """Whether it is known how often a step led where."""
    return not isinstance(step, WAITS)


def _ways(step: Step, position: int) -> list[int]:
    ways = [*getattr(step, "ways", ())]
    if isinstance(step, If | WaitEvent | WaitWhen):
        ways.append(step.then)
    if isinstance(step, Repeat):
        ways.append(position + 1)
    return [*ways, getattr(step, "next", END)]
