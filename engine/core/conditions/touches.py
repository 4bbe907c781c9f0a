"""What can change a condition, time aside."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import msgspec

from engine.core.cel.checked import Asked, Variable, within
from engine.core.past.sessions import SESSION_NAMES, SESSION_STARTED

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_EVENTS = frozenset(
    {"count", "did", "sum", "avg", "min", "max", "distinct", "since", "last", "first"}
)


class Touches(msgspec.Struct, frozen=True):
    """What can change a condition, time aside.

    Attributes:
        events: Names of events.
        activity: Whatever the user does.
        traits: What is said of the user.
        sends: Messages that go out to him.
        scores: A model's word on him.
        names: Variables that it reads, collections among them.
    """

    events: frozenset[str] = frozenset()
    activity: bool = False
    traits: bool = False
    sends: bool = False
    scores: bool = False
    names: frozenset[str] = frozenset()

    def __or__(self, other: Touches) -> Touches:
        return Touches(
            self.events | other.events,
            self.activity or other.activity,
            self.traits or other.traits,
            self.sends or other.sends,
            self.scores or other.scores,
            self.names | other.names,
        )


def touches_of(tree: object) -> Touches:
    """What can change the value of a tree, the segments aside that it asks for."""
    return reduce(or_, _touches(tree), Touches())


def _touches(tree: object) -> Iterator[Touches]:
    for part in within(tree):
        match part:
            case Asked(function="idle"):
                yield Touches(activity=True)
            case Asked(function="received"):
                yield Touches(sends=True)
            case Asked(function="score"):
                yield Touches(scores=True)
            case Asked(function=function) if function in _OF_EVENTS:
                yield Touches(events=frozenset({part.name}))
            case Variable(_, name) if name in SESSION_NAMES:
                started = frozenset({SESSION_STARTED})
                yield Touches(events=started, activity=True, names=frozenset({name}))
            case Variable(_, name):
                yield Touches(traits=name == "user", names=frozenset({name}))
            case _:
                pass
