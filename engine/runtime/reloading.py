"""A changed shop, taken on while the process runs: campaigns, templates and rules of the shop.

What the process stands on (ports, keys, files, channels, sinks) is as it was at the start; where
the shop says otherwise now, a reload names it. A shop with faults is refused whole.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from config import load_folder
from engine.runtime.aside import aside
from engine.runtime.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from channels.redirecting import Redirections
    from config import Settings, Shop
    from engine.core.intake.tracking_plan import TrackingPlan
    from engine.runtime.delivery.composing import Composer
    from engine.runtime.filling import Filling
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell

STANDS_ON: Final = ("server", "keys", "storage", "alerts")
"""Sections that are read at the start alone."""

STANDS_ON_EACH: Final = ("channels", "sinks", "webhooks")
"""Likewise, of those that have several by name."""

STANDS_ON_KEYS: Final = ("events.dedupe_window", "events.dedupe_max", "events.keep")
"""Such keys of sections that are otherwise taken on."""

_log = structlog.get_logger("hairspring")


class Reloaded(msgspec.Struct, frozen=True):
    """What a reload did.

    Attributes:
        plan_id: The plan in force now.
        changed: Whether it was another before this reload; False too where a later one was faster.
        restart_needed: Settings that are other than those the process runs by, as they are spelt.
        warnings: What is probably not meant, as `file:line: what`.
    """

    plan_id: str
    changed: bool
    restart_needed: list[str]
    warnings: list[str]


class PlanInForce:
    """The tracking plan that what comes in is held against now; called, it gives it.

    Attributes:
        plan: It, or None.
    """

    def __init__(self, plan: TrackingPlan | None) -> None:
        self.plan = plan

    def __call__(self) -> TrackingPlan | None:
        """It, or None."""
        return self.plan


class Reloading:
    """Reloads the shop that a process runs.

    Args:
        folder: Where the shop is.
        settings: Those that the process was started by.
        composer: Makes messages by the shop's templates, and has its products and codes.
        on_settings: Told of those of a shop that takes its place.
        tracking_plan: What holds the one in force.

    Attributes:
        settings: The same.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        shell: Shell,
        processor: Processor,
        composer: Composer,
        filling: Filling,
        redirections: Redirections,
        on_settings: Callable[[Settings], None] | None = None,
        tracking_plan: PlanInForce | None = None,
    ) -> None:
        self._folder = folder
        self.settings = settings
        self._shell = shell
        self._processor = processor
        self._composer = composer
        self._filling = filling
        self._redirections = redirections
        self._on_settings = on_settings
        self._tracking_plan = tracking_plan or PlanInForce(None)
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Read the shop again and put it into force.

        Raises ShopInvalid, with every fault; then the shop stays as it was. Also StoreError and
        Unavailable.
        """
        return await self.put_into_force(await self.read())

    async def read(self) -> Shop:
        """The shop as it is in its folder now. Raises ShopInvalid."""
        async with self._one_at_a_time:
            # On another thread: reading some hundred campaigns takes longer than a deadline may.
            return await aside(partial(load_folder, self._folder))

    async def put_into_force(self, shop: Shop) -> Reloaded:
        """Have a shop that was read take the place of the one that is in force.

        At once, or as soon as the past is found that its conditions ask for; where another one is
        to come into force meanwhile, this one does not.

        Raises StoreError, Unavailable.
        """
        now = versions()
        # Whatever else has to wait: who redirects messages wants none to go before it.
        self._redirections.addresses = shop.settings.testing.redirections()
        self._tracking_plan.plan = shop.tracking_plan
        if self._on_settings is not None:
            self._on_settings(shop.settings)
        self._filling.forget()
        changed = not self._processor.plans.hold(shop.plan, now)
        if changed and self._filling.needs(shop.plan):
            changed = await self._filling.prepare(shop.plan, shop.content)
        if changed:
            # Before anything is sent under the new plan; a name that is gone may be in the outbox.
            self._composer.templates = {**self._composer.templates, **shop.templates}
            self._shell.adopt(shop.plan, shop.content, now)
        if self._composer.stock is not None:
            await self._composer.stock.follow(shop.settings)
        reloaded = Reloaded(
            plan_id=self._processor.plans.bare.id,
            changed=changed,
            restart_needed=restart_needed(self.settings, shop.settings),
            warnings=[str(warning) for warning in shop.warnings],
        )
        _log.info("reloaded", **msgspec.structs.asdict(reloaded))
        return reloaded


def restart_needed(before: Settings, now: Settings) -> list[str]:
    """Settings that only a restart takes on and that differ, like `server.port`."""
    events = _differing("events", before.events, now.events)
    found = [name for name in events if name in STANDS_ON_KEYS]
    for section in STANDS_ON:
        found += _differing(section, getattr(before, section), getattr(now, section))
    for section in STANDS_ON_EACH:
        was, is_now = getattr(before, section), getattr(now, section)
        found += [f"{section}.{name}" for name in was.keys() ^ is_now.keys()]
        for name in was.keys() & is_now.keys():
            found += _differing(f"{section}.{name}", was[name], is_now[name])
    if now.shop.url != before.shop.url and now.channels["sms"].transport == "twilio":
        found.append("shop.url")  # what Twilio is told to call, and signs; links go by it at once
    return sorted(found)


def _differing(section: str, before: msgspec.Struct, now: msgspec.Struct) -> list[str]:
    return [
        f"{section}.{field.encode_name}"
        for field in msgspec.structs.fields(now)
        if getattr(before, field.name) != getattr(now, field.name)
    ]
