"""A start on what the last run left, in the order that durability.md gives.

The journal's tail is replayed under the plan that it was written under; then one input says for how
long the process was away, and another one puts a changed plan into force. The process that serves
and the simulated world start by this same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from config import ContentInvalid, ShopInvalid, decode_content, load_shop
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.runtime.tombstones import Tombstones
from engine.store import erasure

if TYPE_CHECKING:
    from collections.abc import Callable

    from config import Shop
    from engine.core.plan import Plan
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Released
    from engine.store import Recovered, Store

_log = structlog.get_logger("hairspring")


class Restarted(NamedTuple):
    """What a start made; nothing runs yet.

    Attributes:
        replayed: How many inputs the journal's tail held.
    """

    clock: Clock
    processor: Processor
    shell: Shell
    replayed: int


async def restart(
    shop: Shop,
    store: Store,
    release: Callable[[Released], None],
    start_clock: Callable[[int], Clock],
) -> Restarted:
    """Bring the state back that the last run left, and make a shell that goes on from it.

    Args:
        shop: The shop to go on with.
        store: Open; nothing else writes it.
        release: Called with what each finished batch lets out.
        start_clock: Given the last stamp known, 0 for none, the clock that goes on from it; it may
            refuse.

    Raises StoreError where the database cannot be read, CommitFailed where a changed plan cannot
    be kept.
    """
    events = shop.settings.events
    recovered = await store.recover(events.dedupe_window_ms, events.dedupe_max)
    clock = start_clock(recovered.last_at_ms)
    plan = await _stored_plan(shop, store, recovered.plan_id)
    processor = _make_processor(shop, plan or shop.plan, recovered)
    if plan is None:
        # What was journaled under a plan that cannot be read any more is read by this one.
        processor.adopt(shop.plan, recovered.last_at_ms)
    processor.tombstones = Tombstones(await store.read(erasure.tombstones))
    replayed = processor.replay(recovered.tail)
    shell = Shell(processor, store, clock, release)
    if recovered.last_at_ms:
        shell.resume(shop.settings.storage.resume_grace_ms)
    if recovered.plan_id != shop.plan.id:
        await store.keep_plan(shop.plan.id, shop.content)
        if plan is not None:
            shell.adopt(shop.plan)
    return Restarted(clock, processor, shell, replayed)


async def _stored_plan(shop: Shop, store: Store, plan_id: str) -> Plan | None:
    """The plan that the journal's tail was written under, or None if it cannot be read."""
    if plan_id in {"", shop.plan.id}:
        return shop.plan
    content = await store.plan_content(plan_id)
    if content is not None:
        try:
            return load_shop(decode_content(content)).plan
        except (ShopInvalid, ContentInvalid) as error:
            _log.warning("plan.unreadable", plan=plan_id, why=error.message)
    return None


def _make_processor(shop: Shop, plan: Plan, recovered: Recovered) -> Processor:
    settings = shop.settings
    dedupe = Dedupe(settings.events.dedupe_window_ms, settings.events.dedupe_max)
    for at_ms, hashes in recovered.hashes:
        dedupe.restore(at_ms, hashes)
    return Processor(
        plan,
        recovered.users,
        now_ms=recovered.last_at_ms,
        next_input=recovered.next_input,
        next_message=recovered.next_message,
        next_batch=recovered.next_batch,
        log=recovered.log,
        dedupe=dedupe,
        max_replay=settings.storage.max_replay,
    )
