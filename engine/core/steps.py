"""The steps of a campaign: what each is, and which steps it leads on to.

They lie flat in a program (`plan.Campaign.steps`), in the order of the file; where one goes on is a
position in it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from engine.core.cel import Program
from engine.core.conditions import Condition

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


class Send(msgspec.Struct, frozen=True, eq=False):
    """A message by the first of `channels` that reaches the user.

    `expires_ms` is how late it may be and still go; None: any time. `names` is what its templates
    name, on all its channels.
    """

    id: str
    channels: tuple[str, ...]
    template: str
    expires_ms: int | None = None
    next: int = END
    names: frozenset[str] = frozenset()


class If(msgspec.Struct, frozen=True, eq=False):
    """A branch: `then` and `next` are positions: where the condition holds, and where not."""

    id: str
    condition: Program
    then: int = END
    next: int = END


class Exit(msgspec.Struct, frozen=True, eq=False):
    """Ends the enrollment with a reason of the shop's own."""

    id: str
    reason: str


Step: TypeAlias = Wait | WaitWhen | Send | If | Exit

WAITS: Final = (Wait, WaitWhen)
"""Steps that enrollments rest in. Written as a union it would be made anew each time."""
