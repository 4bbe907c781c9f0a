"""How many people wait in each step: everybody gone over in slices, whenever somebody asks.

What enters and leaves is counted as it happens, but where an enrollment stands is written nowhere
but in its user: a step that waits leaves no record. So those who are asked for it are counted anew,
a slice of half a millisecond at a time with the loop served between, and an answer stands for
`FRESH_MS`: whoever looks meanwhile gets that one, however many look.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from engine.runtime.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.runtime.processor import Processor

FRESH_MS: Final = 2_000
"""For how long, of the machine's time, a count is not made anew."""

AT_ONCE: Final = 32
"""Users that are looked at between two looks at the clock: in fifty campaigns each, some 0.5 ms."""

SLICE_NS: Final = 500_000

GONE: Final = ""
"""The step of those whose own is gone, and who have not taken the change on yet."""


class Standing(msgspec.Struct):
    """How many enrollments are under way in one campaign.

    Attributes:
        active: In all.
        waiting: By the id of the step that they are in.
        held_out: Those of them that are sent nothing.
    """

    active: int = 0
    waiting: dict[str, int] = {}
    held_out: int = 0


class Census:
    """Counts the users of one process."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._standings: dict[str, Standing] = {}
        self._stands_until_ns = 0
        self._counting: asyncio.Task[None] | None = None

    async def take(self, within_s: float | None = None) -> dict[str, Standing]:
        """By campaign, as of `FRESH_MS` ago at the most. O(users), in slices, where it is older.

        What takes longer than `within_s` goes on, and the count before is told; none the first
        time.
        """
        if monotonic_ns() >= self._stands_until_ns:
            if self._counting is None:
                self._counting = asyncio.create_task(self._count())
            if within_s is None:
                await asyncio.shield(self._counting)
            else:
                await asyncio.wait({self._counting}, timeout=within_s)
        return self._standings

    async def _count(self) -> None:
        try:
            standings: dict[str, Standing] = {}
            processor = self._processor
            steps = steps_of(processor.plan)
            until_ns = monotonic_ns() + SLICE_NS
            for some in processor.users.slices(AT_ONCE):
                count_standing(some, steps, standings)
                if monotonic_ns() >= until_ns:
                    await asyncio.sleep(0)
                    until_ns = monotonic_ns() + SLICE_NS
            self._standings = standings
            self._stands_until_ns = monotonic_ns() + FRESH_MS * 1_000_000
        finally:
            self._counting = None


def steps_of(plan: Plan) -> dict[str, dict[str, str]]:
    """By campaign, the id of each step by its signature. O(steps)."""
    return {
        campaign.id: {
            signature: step.id
            for signature, step in zip(campaign.signatures, campaign.steps, strict=True)
        }
        for campaign in plan.campaigns.values()
    }


def count_standing(
    users: Iterable[User], steps: dict[str, dict[str, str]], standings: dict[str, Standing]
) -> None:
    """Count where the enrollments of some users are. O(enrollments)."""
    for user in users:
        for enrollment in user.enrollments:
            standing = standings.get(enrollment.campaign)
            if standing is None:
                standing = standings[enrollment.campaign] = Standing()
            standing.active += 1
            standing.held_out += enrollment.held_out
            step = steps.get(enrollment.campaign, {}).get(enrollment.signature, GONE)
            standing.waiting[step] = standing.waiting.get(step, 0) + 1
