"""What would come of a changed shop: told before it is taken on, and nothing is changed by it.

Everybody who stands in the plan is copied, in slices between which deadlines fire, and his copy
goes on under the plan to come (`core.foresight`). The count is as of now for each as he is looked
at: beside a busy process those looked at last are some seconds newer than the first. What the plan
to come asks of the past is found for the copies as a reload finds it (`filling`), and journaled
nowhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from config import decode_content
from config.differing import Files, campaigns_of, differing_files
from engine.core.adoption import take_on
from engine.core.instants import INSTANT_MAX_MS, format_instant
from engine.core.messages.waiting import find_message
from engine.core.past.coming import gap
from engine.core.past.found import encode_found, put
from engine.core.reports.foresight import Foreseen, Waits, foresee
from engine.core.state import decode_user, encode_user, stands
from engine.core.transition import fire
from engine.runtime.aside import aside
from engine.runtime.clock import monotonic_ns
from engine.store import past
from engine.store.gathering import SHARDS, Gathering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from config import Shop
    from engine.core.effects import Record
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.runtime.processor import Processor
    from engine.store import Store

MOVES_TOLD: Final = 5
"""Of a campaign's deadlines that move, and of those who leave, these are told one by one."""

SLICE_NS: Final = 1_000_000

LOOKED_AT_ONCE: Final = 256
"""Users of whom nothing stands, between two looks at the clock."""

COUNTED: Final = ("waiting", "exits", "gone", "refused", "skipped")
"""What of a campaign is counted by a name."""

ChangeKind: TypeAlias = Literal["added", "removed", "changed", "same"]


class Move(msgspec.Struct, frozen=True):
    """One deadline that moves: instants in ISO 8601, null for never and while it is held."""

    user_id: str
    step: str
    before: str | None
    then: str | None


class Leaver(msgspec.Struct, frozen=True):
    """Somebody who leaves at once, the step that he waited in, and why."""

    user_id: str
    step: str
    reason: str


class CampaignDiff(msgspec.Struct):
    """What the change means for one campaign.

    Attributes:
        change: Of what its file says.
        status: Its status as it is, and as it would be; null where there is no such campaign.
        inside: How many enrollments are under way.
        waiting: By the id of the step that they wait in.
        exits: How many leave at once, by reason: `step_removed`, `campaign_removed`, `archived`.
        gone: How many waited in a step that is there no more, by its id: `step_removed`.
        leavers: Some of those who leave.
        entered: How many come in at once (`backfill`).
        refused: How many would come in and may not, by reason.
        moved: How many deadlines move, or come to be held, or go on.
        moves: Some of them.
        sent: How many messages go at once, since what they waited for is over by then.
        skipped: How many do not, by reason.
        taken_back: How many messages in the outbox are taken back.
    """

    campaign: str
    change: ChangeKind
    status: tuple[str | None, str | None]
    inside: int = 0
    waiting: dict[str, int] = {}
    exits: dict[str, int] = {}
    gone: dict[str, int] = {}
    leavers: list[Leaver] = []
    entered: int = 0
    refused: dict[str, int] = {}
    moved: int = 0
    moves: list[Move] = []
    sent: int = 0
    skipped: dict[str, int] = {}
    taken_back: int = 0


class PastAsked(msgspec.Struct, frozen=True):
    """What conditions of the changed shop ask of the past that was not kept.

    A reload finds it in the archive before the shop comes into force, as was done here.

    Attributes:
        events: Names.
        messages: Channels and campaigns of `received`, and channels under caps.
    """

    events: list[str]
    collections: list[str]
    models: list[str]
    messages: list[str]
    sessions: bool


class ShopDiff(msgspec.Struct, frozen=True):
    """The answer.

    Attributes:
        at: The instant that it speaks of: now, or the last that a folder at rest knows of.
        changed: Whether anything at all is other than in force.
        plan_id: Of the plan in force.
        coming: Of the changed shop's.
        users: How many are known.
        campaigns: All of either shop, in order of their ids.
        past: None where everything that is asked for is kept.
        restart_needed: Settings that only a restart takes on.
    """

    at: str
    changed: bool
    plan_id: str
    coming: str
    users: int
    files: Files
    campaigns: list[CampaignDiff]
    past: PastAsked | None
    restart_needed: list[str]
    warnings: list[str]


class Diffing:
    """Compares shops with what a processor has.

    Args:
        store: Where the content of the plan in force is.
        told: Called with (done, total) users.
    """

    def __init__(
        self,
        store: Store,
        processor: Processor,
        told: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._store = store
        self._processor = processor
        self._told = told

    async def diff(
        self, shop: Shop, now_ms: Callable[[], int], restart_needed: list[str]
    ) -> ShopDiff:
        """What would come of `shop`, were it taken on now. O(users); raises StoreError."""
        processor = self._processor
        before = processor.plans.bare
        at_ms = now_ms()
        stored = await self._store.read(partial(past.contents, ids=[before.id]))
        files = decode_content(stored[before.id]) if before.id in stored else {}
        coming = decode_content(shop.content)
        tally = _Tally(before, shop.plan, await aside(partial(_changes, files, coming)))
        await self._ask_everybody(shop.plan, tally, now_ms)
        lacking = gap(before, shop.plan)
        return ShopDiff(
            at=format_instant(at_ms),
            changed=before.id != shop.plan.id,
            plan_id=before.id,
            coming=shop.plan.id,
            users=len(processor.users),
            files=differing_files(files, coming),
            campaigns=tally.campaigns(),
            past=PastAsked(
                sorted(lacking.names | lacking.session_events),
                sorted(lacking.collections),
                sorted(lacking.models),
                sorted(lacking.sends | lacking.places),
                lacking.sessions,
            )
            if lacking
            else None,
            restart_needed=restart_needed,
            warnings=[str(warning) for warning in shop.warnings],
        )

    async def _ask_everybody(self, plan: Plan, tally: _Tally, now_ms: Callable[[], int]) -> None:
        """Go over all users, with the past that the plan asks for. O(users + archive)."""
        processor = self._processor
        before = processor.plans.bare
        # Who stands nowhere can only come in by a backfill.
        everybody = any(campaign.entry.backfill for campaign in plan.edges)
        lacking = gap(before, plan)
        if not lacking:
            async for user in self._users(everybody=everybody):
                tally.add(_foreseen(processor, before, plan, user, now_ms()))
            return
        only = None if everybody else {user.user_id async for user in self._users(everybody=False)}
        first = SHARDS if only is not None and not only else 0
        wide = before.widened(plan)
        while first < SHARDS:
            # Whoever announces nothing keeps no message: all are in the records.
            gathering = Gathering(
                wide, lacking, INSTANT_MAX_MS, first, aliases=processor.aliases.of, only=only
            )
            while await self._store.read(gathering.read_some):
                pass
            found = dict(gathering.found())
            async for user in self._users(everybody=everybody):
                if gathering.covers(user.user_id):
                    past = partial(_put, wide, gathering, found.pop(user.user_id, None))
                    tally.add(_foreseen(processor, wide, plan, user, now_ms(), past))
            first = gathering.end_shard

    async def _users(self, *, everybody: bool) -> AsyncIterator[User]:
        """Everybody, or whoever stands in the plan, a slice at a time."""
        users = self._processor.users
        looked_at, until_ns = 0, monotonic_ns() + SLICE_NS
        for some in users.slices(LOOKED_AT_ONCE):
            looked_at += len(some)
            for user in some:
                if everybody or stands(user):
                    yield user
                    until_ns = await _give_way(until_ns)
            self._told(looked_at, len(users))
            until_ns = await _give_way(until_ns)


async def _give_way(until_ns: int) -> int:
    """Have the loop turn where a slice is over; when the next one is."""
    if monotonic_ns() < until_ns:
        return until_ns
    await asyncio.sleep(0)
    return monotonic_ns() + SLICE_NS


def _foreseen(
    processor: Processor,
    before: Plan,
    plan: Plan,
    user: User,
    now_ms: int,
    past: Callable[[User, int], None] = lambda _copy, _now_ms: None,
) -> tuple[User, Foreseen]:
    """A user as he was, and what the change does to a copy of his, which is given its past."""
    now_ms = max(now_ms, processor.now_ms)
    copy = decode_user(encode_user(user))
    take_on(copy, processor.plans.changes, [])
    fire(processor.plan, copy, now_ms, [])
    past(copy, now_ms)
    return user, foresee(before, plan, copy, now_ms)


def _put(wide: Plan, gathering: Gathering, found: User | None, copy: User, now_ms: int) -> None:
    if found is not None:
        gathering.complete(found, copy, now_ms)
        put(wide, copy, encode_found(found, copy))


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, ChangeKind]:
    was, becomes = campaigns_of(before), campaigns_of(now)
    kinds: dict[str, ChangeKind] = {}
    for key in was.keys() | becomes.keys():
        if key not in was:
            kinds[key] = "added"
        elif key not in becomes:
            kinds[key] = "removed"
        else:
            kinds[key] = "same" if was[key] == becomes[key] else "changed"
    return kinds


class _Tally:
    """The counts, by campaign."""

    def __init__(self, before: Plan, plan: Plan, changes: Mapping[str, ChangeKind]) -> None:
        keys = sorted(before.campaigns.keys() | plan.campaigns.keys())
        self._found = {
            key: CampaignDiff(
                key, changes.get(key, "same"), (_status(before, key), _status(plan, key))
            )
            for key in keys
        }
        self._counts = {key: {name: Counter[str]() for name in COUNTED} for key in keys}

    def add(self, told: tuple[User, Foreseen]) -> None:
        user, foreseen = told
        for waits in foreseen.waits:
            self._wait(waits)
        for record in foreseen.records:
            self._record(record)
        for effect_id in foreseen.taken_back:
            pending = find_message(user.pending, effect_id)
            if pending is not None and pending.campaign in self._found:
                self._found[pending.campaign].taken_back += 1

    def campaigns(self) -> list[CampaignDiff]:
        for key, counts in self._counts.items():
            for name, counted in counts.items():
                setattr(self._found[key], name, dict(sorted(counted.items())))
        return list(self._found.values())

    def _wait(self, waits: Waits) -> None:
        found = self._found[waits.campaign]
        found.inside += 1
        counts = self._counts[waits.campaign]
        counts["waiting"][waits.step] += 1
        if waits.leaves and len(found.leavers) < MOVES_TOLD:
            found.leavers = [*found.leavers, Leaver(waits.user_id, waits.step, waits.leaves)]
        if waits.leaves == "step_removed":
            counts["gone"][waits.step] += 1
        if waits.ends_then_ms is None or waits.ends_then_ms == waits.ends_at_ms:
            return
        found.moved += 1
        if len(found.moves) < MOVES_TOLD:
            instants = _instant(waits.ends_at_ms), _instant(waits.ends_then_ms)
            found.moves = [*found.moves, Move(waits.user_id, waits.step, *instants)]

    def _record(self, record: Record) -> None:
        found, counts = self._found[record.campaign], self._counts[record.campaign]
        match record.kind:
            case "entered":
                found.entered += 1
            case "sent":
                found.sent += 1
            case "exited":
                counts["exits"][record.reason] += 1
            case "refused" | "skipped":
                counts[record.kind][record.reason] += 1
            case _:
                pass


def _status(plan: Plan, key: str) -> str | None:
    campaign = plan.campaigns.get(key)
    return None if campaign is None else campaign.status


def _instant(at_ms: int) -> str | None:
    return format_instant(at_ms) if at_ms <= INSTANT_MAX_MS else None
