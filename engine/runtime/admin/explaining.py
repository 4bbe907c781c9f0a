"""Why a user came into a campaign, did not, or when he will: of a running process, or a folder.

What is so now is read off a copy of the user; what was, off the user as he is lived through again
from the archive (`past`). The rest is one reckoning for both (`core.account`), so that what is told
of an instant later is what was told then.
"""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from config.faults import nearest
from engine.core.adoption import take_on
from engine.core.inputs import EventImported, EventReceived
from engine.core.instants import format_instant
from engine.core.plan import Plan
from engine.core.reports.account import Account, Ahead, Came, account, came_by, look_ahead
from engine.core.reports.verdicts import Verdict, verdict
from engine.core.state import decode_user, encode_user
from engine.core.transition import fire
from engine.errors import HairspringError
from engine.runtime.admin.past import (
    Lived,
    Past,
    PlanUnreadable,
    let_go_behind,
    live_again,
    plans_named,
    read_plans,
    read_shop,
)
from engine.runtime.aside import giving_way
from engine.store import holdings, past

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.effects import Record
    from engine.core.plan import Campaign
    from engine.runtime.processor import Processor
    from engine.store import Store
    from engine.store.past import Start

    Ids: TypeAlias = tuple[str, ...]

NEIGHBOURS: Final = 16
"""Ids on either side among which the nearest one is looked for."""

NEIGHBOURS_MAX: Final = 500
"""Ids of a running process among which it is looked for besides: the first that there were."""


class Inexplicable(HairspringError):  # noqa: N818 - an answer more than an error
    """There is nothing to explain: nobody of that id, no such campaign, no such instant.

    Its code is `user.unknown`, `campaign.unknown`, `explain.instant` or `explain.archive`.
    """


class Explanation(msgspec.Struct, omit_defaults=True):
    """The answer.

    Attributes:
        at: The instant that it is about, ISO 8601.
        verdict: What it comes to.
        account: What that rests on.
        aliases: Other ids of the user, which were merged into his by then, with the instant.
    """

    user_id: str
    campaign: str
    at: str
    verdict: Verdict
    account: Account
    aliases: dict[str, str] = {}


class Explaining:
    """Answers for one store.

    Args:
        store: Open.
        keep_ms: How far back the archive surely goes.
        known: Plans that need not be compiled.
        processor: Of the process that serves from it; None where none does.
    """

    def __init__(
        self,
        store: Store,
        *,
        keep_ms: int,
        known: Iterable[Plan] = (),
        processor: Processor | None = None,
    ) -> None:
        self._store = store
        self._keep_ms = keep_ms
        self._processor = processor
        self._known = {plan.id: plan for plan in known}

    @classmethod
    def running(cls, store: Store, processor: Processor) -> Explaining:
        """For the process that serves from it."""
        known = (processor.plan,)
        return cls(store, keep_ms=store.keep_ms, known=known, processor=processor)

    @classmethod
    async def resting(cls, store: Store) -> Explaining:
        """For a database that no process serves from. Raises PlanUnreadable."""
        newest = await store.read(past.newest_plan)
        if newest is None:
            return cls(store, keep_ms=store.keep_ms)
        shop = read_shop(*newest)
        events = shop.settings.events
        keep_ms = max(events.keep_ms, events.dedupe_window_ms)
        return cls(store, keep_ms=keep_ms, known=(shop.plan,))

    async def explain(
        self, user_id: str, campaign_id: str, *, now_ms: int, at_ms: int | None = None
    ) -> Explanation:
        """Why, as of an instant; without one, as of now.

        O(what is kept of the user). Raises Inexplicable, PlanUnreadable.

        Args:
            user_id: Whose.
            campaign_id: Which campaign.
            now_ms: Logical now; of a folder at rest, the newest stamp in it.
            at_ms: At most `now_ms`.
        """
        with giving_way():
            return await self._explain(user_id, campaign_id, now_ms, at_ms)

    async def _explain(
        self, user_id: str, campaign_id: str, now_ms: int, at_ms: int | None
    ) -> Explanation:
        if at_ms is not None and at_ms > now_ms:
            raise Inexplicable(
                f"{format_instant(at_ms)} lies ahead: here it is {format_instant(now_ms)}",
                hint="leave the instant out: when he comes in if nothing happens is told then",
                code="explain.instant",
            )
        ids = await self._ids_of(user_id)
        if at_ms is None and self._processor is not None:
            lived = as_he_is(self._processor, user_id, now_ms)
        elif at_ms is None:
            lived = await self._at_rest(ids, user_id, now_ms)
        else:
            lived = await self._as_he_was(ids, user_id, at_ms, now_ms)
        then_ms = now_ms if at_ms is None else at_ms
        if lived.user is None:
            raise await self._unknown(user_id, at_ms)
        campaign = lived.plan.campaigns.get(campaign_id)
        if campaign is None:
            raise _no_campaign(lived.plan, campaign_id, at_ms)
        borne = (lived.user.user_id, *lived.user.aliases)  # as of then: a part of `ids`
        came = await self._came(borne, campaign, then_ms, now_ms)
        records = [one async for one in holdings.records_of(self._store, *borne)]
        return await asyncio.to_thread(_explained, lived, campaign, then_ms, came, records)

    async def _ids_of(self, user_id: str) -> Ids:
        if self._processor is not None:
            return self._processor.ids_of(user_id)
        return await holdings.ids_of(self._store, user_id)

    async def _at_rest(self, ids: Ids, user_id: str, now_ms: int) -> Lived:
        start = await self._store.read(partial(past.newest_start, ids=ids))
        return await self._live_again(start, ids, user_id, now_ms)

    async def _as_he_was(self, ids: Ids, user_id: str, at_ms: int, now_ms: int) -> Lived:
        starts = await self._starts(ids, at_ms, now_ms)
        if not starts:
            raise Inexplicable(
                f"the archive does not reach back to {format_instant(at_ms)}",
                hint="it goes back as far as [events] keep says; ask about a later instant",
                code="explain.archive",
            )
        return await self._live_again(starts[0], ids, user_id, at_ms)

    async def _starts(self, ids: Ids, at_ms: int, now_ms: int) -> list[Start]:
        oldest_ms = now_ms - self._keep_ms
        asked = partial(past.starts_before, ids=ids, at_ms=at_ms, oldest_ms=oldest_ms)
        return await self._store.read(asked)

    async def _live_again(self, start: Start, ids: Ids, user_id: str, at_ms: int) -> Lived:
        inputs = await past.inputs_since(self._store, ids, start.from_input, at_ms)
        found = await self._with_plans(start, inputs)
        return await asyncio.to_thread(live_again, found, user_id, at_ms)

    async def _with_plans(self, start: Start, inputs: past.Numbered) -> Past:
        ids = await asyncio.to_thread(plans_named, start, inputs)
        lacking = [plan_id for plan_id in ids if plan_id not in self._known]
        contents = await self._store.read(partial(past.contents, ids=lacking))
        plans = await asyncio.to_thread(read_plans, ids, contents, self._known)
        self._known.update(plans)
        return Past(start, inputs, plans)

    async def _came(self, ids: Ids, campaign: Campaign, at_ms: int, now_ms: int) -> Came | None:
        """The newest event by then that could have brought him in, as far as events are kept."""
        names = campaign.entry.events
        for start in await self._starts(ids, at_ms, now_ms) if names else ():
            inputs = await past.inputs_since(self._store, ids, start.from_input, at_ms)
            place = await asyncio.to_thread(_newest_of, inputs, names)
            if place is None:
                await asyncio.to_thread(let_go_behind, inputs, 0)
            else:
                await asyncio.to_thread(let_go_behind, inputs, place + 1)
                return await self._came_by(start, inputs, campaign)
        return None

    async def _came_by(
        self,
        start: Start,
        inputs: past.Numbered,
        campaign: Campaign,
    ) -> Came:
        """What `enter.when` said of the last of these, an event, under the plan of then."""
        number, event = inputs[-1]
        assert isinstance(event, EventReceived), "chosen by its name"
        if campaign.entry.when is None:
            await asyncio.to_thread(let_go_behind, inputs, 0)
            return came_by(Plan(""), None, campaign, event)
        try:
            found = await self._with_plans(start, inputs)
        except PlanUnreadable as error:
            came = came_by(Plan(""), None, campaign, event)
            came.lost = error.message
            return came
        return await asyncio.to_thread(_asked_then, found, number, event, campaign)

    async def _unknown(self, user_id: str, at_ms: int | None) -> Inexplicable:
        then = "" if at_ms is None else f" at {format_instant(at_ms)}"
        ids = await self._store.read(partial(past.neighbours, user_id=user_id, count=NEIGHBOURS))
        if self._processor is not None:
            ids += islice(self._processor.users, NEIGHBOURS_MAX)
        near = get_close_matches(user_id[:80], [one for one in ids if one != user_id], n=1)
        hint = f"did you mean {near[0]}?" if near else "ids are taken letter by letter"
        message = f"there is no user {user_id[:100]!r}{then}"
        return Inexplicable(message, hint=hint, code="user.unknown")


def as_he_is(processor: Processor, user_id: str, now_ms: int) -> Lived:
    """A copy of a user of a running process, with what he lacks and what is due by now."""
    user = processor.find(user_id)
    if user is None:
        return Lived(None, processor.plan)
    copy = decode_user(encode_user(user))
    take_on(copy, processor.plans.changes, [])
    fire(processor.plan, copy, now_ms, [])
    return Lived(copy, processor.plan)


def _newest_of(inputs: past.Numbered, names: tuple[str, ...]) -> int | None:
    """The place of the newest event of one of these names that a user did; None without one."""
    for place in range(len(inputs) - 1, -1, -1):
        happened = inputs[place][1]
        is_import = isinstance(happened, EventImported)
        if isinstance(happened, EventReceived) and not is_import and happened.name in names:
            return place
    return None


def _asked_then(found: Past, number: int, event: EventReceived, campaign: Campaign) -> Came:
    lived = live_again(found, event.user_id, event.at_ms, last_input=number)
    then = lived.plan.campaigns.get(campaign.id)
    if then is None or event.name not in then.entry.events:
        came = came_by(lived.plan, None, campaign, event)
        came.lost = "the campaign did not wait for it then"
        return came
    return came_by(lived.plan, lived.user, then, event)


def _explained(
    lived: Lived, campaign: Campaign, at_ms: int, came: Came | None, records: list[Record]
) -> Explanation:
    user, plan = lived.user, lived.plan
    assert user is not None, "asked for by whoever calls"
    found = account(plan, user, campaign, at_ms, came, records)
    waits = campaign.entry.edge is not None and not found.places
    ahead = look_ahead(plan, user, campaign, at_ms) if waits else Ahead()
    told = verdict(campaign, found, ahead)
    aliases = {alias: format_instant(merged_ms) for alias, merged_ms in user.aliases.items()}
    return Explanation(user.user_id, campaign.id, format_instant(at_ms), told, found, aliases)


def _no_campaign(plan: Plan, campaign_id: str, at_ms: int | None) -> Inexplicable:
    then = "" if at_ms is None else f" at {format_instant(at_ms)}"
    return Inexplicable(
        f"the shop has no campaign {campaign_id[:100]!r}{then}",
        hint=nearest(campaign_id, plan.campaigns) or "it has none at all",
        code="campaign.unknown",
    )
