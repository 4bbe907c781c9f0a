"""A start on what the last run left, in the order that durability.md gives.

The journal's tail is replayed under the plans that it was written under; then one input says for
how long the process was away, and another one puts a changed plan into force: one that was edited,
or the same under another program or other time-zone data. The process that serves
and the simulated world start by this same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from engine.errors import StoreError
from engine.failpoints import come_to
from engine.runtime.bandits import Bandits
from engine.runtime.dedupe import Dedupe
from engine.runtime.filling import Filling
from engine.runtime.inbox import Unavailable
from engine.runtime.plans import strays
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.runtime.stored import Stored, read_stored
from engine.runtime.tombstones import Tombstones
from engine.runtime.versions import versions
from engine.store import Store, erasure
from engine.store.pruning import LettersMax

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from channels.rendering import Template
    from config import Shop
    from config.settings import Settings
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Released
    from engine.store import Recovered

_log = structlog.get_logger("hairspring")


async def open_store(
    path: Path, settings: Settings, on_progress: Callable[[str], None] | None = None
) -> Store:
    """The database of a shop, which keeps what its settings say. Raises StoreError.

    `on_progress` is told where a migration is, on another thread.
    """
    storage, events = settings.storage, settings.events
    return await Store.open(
        path,
        sync=storage.sync,
        keep_ms=max(events.keep_ms, events.dedupe_window_ms),
        letters_max=LettersMax(storage.dead_letters_max, storage.dead_letters_bytes_max),
        on_progress=on_progress,
    )


class Restarted(NamedTuple):
    """What a start made; nothing runs yet.

    Attributes:
        replayed: How many inputs the journal's tail held.
        templates: By (name, channel): the shop's, and of earlier plans what it has no more.
        filling: What finds the past that plans ask for.
        waits: Whether the shop's plan is not in force yet: it asks for a past that is to be found
            first, once the shell runs (`come_into_force`).
    """

    clock: Clock
    processor: Processor
    shell: Shell
    replayed: int
    templates: dict[tuple[str, str], Template]
    filling: Filling
    waits: bool


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

    Raises StoreError where the database cannot be read.
    """
    events = shop.settings.events
    recovered = await store.recover(events.dedupe_window_ms, events.dedupe_max)
    come_to("in-recovery")
    clock = start_clock(recovered.last_at_ms)
    stored = stored_plans(shop, recovered)
    processor, replayed = bring_back(shop, recovered, stored)
    processor.tombstones = Tombstones(await store.read(erasure.tombstones))
    shell = Shell(processor, store, clock, release)
    processor.bandits.begin(processor.now_ms)
    if recovered.last_at_ms:
        shell.resume(shop.settings.storage.resume_grace_ms)
    filling = Filling(store, shell, processor)
    changed = not processor.plans.hold(shop.plan, versions())
    waits = changed and filling.needs(shop.plan)
    if changed and not waits:
        shell.adopt(shop.plan, shop.content, versions())
    come_to("after-recovery")
    return Restarted(clock, processor, shell, replayed, stored.templates, filling, waits)


async def come_into_force(shop: Shop, restarted: Restarted) -> None:
    """Put the shop's plan into force that `waits`, unless another one comes before it.

    Raises StoreError, Unavailable.
    """
    if await restarted.filling.prepare(shop.plan, shop.content):
        restarted.shell.adopt(shop.plan, shop.content, versions())


async def come_in_time(shop: Shop, restarted: Restarted) -> None:
    """As `come_into_force`, where there is anything to wait for; the log tells what keeps it."""
    if not restarted.waits:
        return
    try:
        await come_into_force(shop, restarted)
    except (StoreError, Unavailable) as error:
        _log.error("history.not_found", why=error.message, hint="reload once that is mended")
    except Exception:  # noqa: BLE001 - the shop before goes on, and the log says so
        hint = "the shop before stays in force; please report this"
        _log.exception("history.broke", hint=hint)


def stored_plans(shop: Shop, recovered: Recovered) -> Stored:
    """The plans that users may be saved under, or inputs journaled under. O(their size)."""
    return read_stored([*recovered.changes, *recovered.tail], recovered.contents, shop)


def bring_back(
    shop: Shop, recovered: Recovered, stored: Stored | None = None
) -> tuple[Processor, int]:
    """The very state that the last run left, with nothing new; and how many inputs were replayed.

    `shop` is the one to go on with: its plan stands in for one that cannot be read any more.
    """
    left = [*recovered.changes, *recovered.tail]
    stored = stored or stored_plans(shop, recovered)
    processor = _make_processor(shop, stored, recovered)
    for plan_id, users in strays(recovered.users.values(), left, stored.lost).items():
        processor.find_anew(users, stored.plans[plan_id])
    return processor, processor.replay(recovered.tail)


def _make_processor(shop: Shop, stored: Stored, recovered: Recovered) -> Processor:
    settings = shop.settings
    dedupe = Dedupe(settings.events.dedupe_window_ms, settings.events.dedupe_max)
    for at_ms, hashes in recovered.hashes:
        dedupe.restore(at_ms, hashes)
    return Processor(
        shop.plan,
        recovered.users,
        now_ms=recovered.last_at_ms,
        next_input=recovered.next_input,
        next_message=recovered.next_message,
        next_batch=recovered.next_batch,
        log=recovered.log,
        dedupe=dedupe,
        max_replay=settings.storage.max_replay,
        changes=recovered.changes,
        plans=stored.plans,
        bandits=Bandits(recovered.bandits),
    )
