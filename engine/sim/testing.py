"""What `hairspring test` does, without a terminal: a shop test run in virtual time.

The same processor, clock and outbox as in `simulate`; every message is rendered, and what it names
and the user lacks is a failure. What came of it is compared, user by user, with what the test
expects: every message that is sent must be expected, in that order; of everything else (entries,
skips, exits, …) what is expected must be there, in that order.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Final

import msgspec

from config.faults import nearest
from engine.core.inputs import EventReceived
from engine.runtime.dedupe import Dedupe
from engine.sim.alignment import Aligned, Happened, align
from engine.sim.deliveries import Deliveries
from engine.sim.simulate import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from config import Outage, Shop, ShopTest
    from engine.core.effects import SendMessage

UNTOLD: Final = frozenset({"delivered", "refused"})
"""Kinds of records that are told only where the test expects one of that kind."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of one test.

    Attributes:
        passed: Whether all was as expected.
        lines: What was expected and what happened, in order of time.
        faults: Templates that could not be rendered, or name what a user lacks.
        notes: What may be the reason of a failure.
    """

    passed: bool
    lines: list[Aligned]
    faults: list[str]
    notes: list[str]


def run_test(shop: Shop, test: ShopTest) -> Outcome:
    """Run one test of a shop. O(what happens in it)."""
    deliveries = Deliveries(
        templates=shop.templates, fails=_failing(test.outages), strict=True, shelf=shop.shelf
    )
    kept = shop.settings.events
    simulation = Simulation(
        shop.plan, dedupe=Dedupe(kept.dedupe_window_ms, kept.dedupe_max), deliveries=deliveries
    )
    asked = {one.kind for one in test.expected}
    happened: list[Happened] = []
    inputs = [copy(one) for one in test.given]  # the processor stamps them
    for released in simulation.run(inputs, test.until_ms):
        happened += [
            Happened(record, deliveries.rendered.get(record.message))
            for record in released.records
            if record.kind not in UNTOLD or record.kind in asked
        ]
        deliveries.rendered.clear()
    about = test.campaigns or shop.plan.campaigns.keys()
    happened = [one for one in happened if one.record.campaign in about]
    lines = align(test.expected, happened, nothing=test.nothing)
    faults = sorted({flaw for campaign in about for flaw in deliveries.flaws.get(campaign, ())})
    passed = not faults and not any(line.mark for line in lines)
    return Outcome(passed, lines, faults, [] if passed else _unheard(shop, test))


def _failing(outages: Sequence[Outage]) -> Callable[[SendMessage], str]:
    """Why a delivery fails: what was said last of its channel and user before it, or just then."""

    def fails(message: SendMessage) -> str:
        reason = ""
        for outage in outages:
            if (
                outage.at_ms <= message.at_ms
                and outage.channel == message.channel
                and outage.user_id in {"", message.user_id}
            ):
                reason = outage.reason
        return reason

    return fails


def _unheard(shop: Shop, test: ShopTest) -> list[str]:
    """Events that the shop has nothing to do with: a slip of the pen, maybe."""
    plan = shop.plan
    given = dict.fromkeys(one.name for one in test.given if isinstance(one, EventReceived))
    entering = {name for one in plan.campaigns.values() for name in one.entry.events}
    known = sorted(entering | plan.kept.keys())
    return [
        f"no campaign knows the event {name!r}; {nearest(name, known)}"
        for name in given
        if plan.reactions(name) is None
    ]
