"""The steps of a campaign: what each is, and which steps it leads on to.

They lie flat in a program (`plan.Campaign.steps`), in the order of the file; where one goes on is a
position in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from engine.core.calendar import EVERY_DAY
from engine.core.cel import Program
from engine.core.conditions.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator

END = -1
"""The position after the last step."""


class Wait(msgspec.Struct, frozen=True, eq=False):
    """Until the enrollment's clock is `duration_ms` further (0 or more)."""

    id: str
    duration_ms: int
    next: int = END


class WaitWhen(msgspec.Struct, frozen=True, eq=False):
    """Until a condition is true, or `at_most_ms` have passed; None: however long it takes.

    `then` and `next` are positions: where it came true, and where the time was up.
    """

    id: str
    condition: Condition
    at_most_ms: int | None = None
    then: int = END
    next: int = END


class WaitUntil(msgspec.Struct, frozen=True, eq=False):
    """Until the next time that a local clock shows a time of day.

    Attributes:
        minute: Of the day, 0 to 1439.
        days: On which, 0 (Monday) to 6; at least one.
        timezone: Whose clock; "": the user's own, else the shop's.
    """

    id: str
    minute: int
    days: frozenset[int] = EVERY_DAY
    timezone: str = ""
    next: int = END


class WaitEvent(msgspec.Struct, frozen=True, eq=False):
    """Until an event, or `at_most_ms` have passed; None: however long it takes.

    `when` is asked of the event that comes. `then` and `next` are positions: where it came, and
    where the time was up.
    """

    id: str
    events: tuple[str, ...]
    when: Program | None = None
    at_most_ms: int | None = None
    then: int = END
    next: int = END


class Repeat(msgspec.Struct, frozen=True, eq=False):
    """The steps behind it again and again, until a condition holds or the times are up.

    Attributes:
        times: How often at the most, 1 or more.
        every_ms: The least time from one beginning to the next, by the enrollment's clock.
        until: Asked before each time, the first one too.
        end: The position behind the last of those steps; they begin right behind this one.
        next: Where it goes on once they are done.
    """

    id: str
    times: int
    every_ms: int = 0
    until: Program | None = None
    end: int = END
    next: int = END


class Send(msgspec.Struct, frozen=True, eq=False):
    """A message by the first of `channels` that reaches the user.

    `expires_ms` is how late it may be and still go; None: any time. `names` is what its templates
    name, on all its channels. Where there are `preferred` ones, the first is that of them which the
    user answers to (`preferring`), and `others` are tried behind it.
    """

    id: str
    channels: tuple[str, ...]
    template: str
    expires_ms: int | None = None
    next: int = END
    names: frozenset[str] = frozenset()
    preferred: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class If(msgspec.Struct, frozen=True, eq=False):
    """A branch: `then` and `next` are positions: where the condition holds, and where not."""

    id: str
    condition: Program
    then: int = END
    next: int = END


class Choose(msgspec.Struct, frozen=True, eq=False):
    """The first branch whose condition holds.

    `ways` are their positions, in the order of `conditions`; `next` is where none holds.
    """

    id: str
    conditions: tuple[Program, ...]
    ways: tuple[int, ...]
    next: int = END


class Split(msgspec.Struct, frozen=True, eq=False):
    """One of several ways, by the variant that the user gets.

    Attributes:
        name: Of the experiment, unique in its campaign.
        weights: By variant, each above 0: their shares count.
        is_bandit: Whether they are only what it begins with, and follow then what converts.
        ways: The position from which each of them goes on, in their order.
        way_of: The same, by variant.
    """

    id: str
    name: str
    weights: dict[str, float]
    ways: tuple[int, ...]
    is_bandit: bool = False
    way_of: dict[str, int] = {}

    def __post_init__(self) -> None:
        way_of = dict(zip(self.weights, self.ways, strict=True))
        msgspec.structs.force_setattr(self, "way_of", way_of)


class Given(msgspec.Struct, frozen=True, eq=False):
    """A value that a step gives a name: as it was written, or what an expression comes to."""

    name: str
    value: Any = None
    program: Program | None = None


class Set(msgspec.Struct, frozen=True, eq=False):
    """Traits of the user get other values."""

    id: str
    traits: tuple[Given, ...]
    next: int = END


class Emit(msgspec.Struct, frozen=True, eq=False):
    """An event of the engine's own."""

    id: str
    event: str
    properties: tuple[Given, ...] = ()
    next: int = END


class Exit(msgspec.Struct, frozen=True, eq=False):
    """Ends the enrollment with a reason of the shop's own."""

    id: str
    reason: str


Waiting: TypeAlias = Wait | WaitWhen | WaitUntil | WaitEvent | Repeat

Step: TypeAlias = Waiting | Send | If | Choose | Split | Set | Emit | Exit

WAITS: Final = (Wait, WaitWhen, WaitUntil, WaitEvent, Repeat)
"""Steps that enrollments rest in. Written as a union it would be made anew each time."""

CHANGES: Final = (Set, Emit)
"""Steps from which something may follow at the same instant."""


def programs_of(step: Step) -> Iterator[Program]:
    """Every condition and expression of a step."""
    match step:
        case If():
            yield step.condition
        case WaitWhen():
            yield step.condition.program
        case Choose():
            yield from step.conditions
        case WaitEvent(when=Program() as asked) | Repeat(until=Program() as asked):
            yield asked
        case Set(traits=values) | Emit(properties=values):
            yield from (one.program for one in values if one.program is not None)
        case _:
            pass
