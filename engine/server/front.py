"""The door for clients of a process, made of its parts and of what the shop's settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from engine.core.intake.tracking_plan import no_plan
from engine.runtime.bulk import Looking
from engine.server.bodies import Limits
from engine.server.doors import channel_doors
from engine.server.ingest import IngestDoor
from engine.server.storefront import Storefront
from engine.server.webhooks.opening import webhooks_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from channels.tokens import Signer
    from config.settings import Settings
    from engine.core.intake.tracking_plan import TrackingPlan
    from engine.runtime.clock import Clock
    from engine.runtime.delivery.inboxes import Inboxes
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.server.links import LinkDoor
    from engine.store import Store


def front_door(
    settings: Settings,
    *,
    data: Path,
    shell: Shell,
    processor: Processor,
    store: Store,
    clock: Clock,
    metrics: Metrics,
    links: LinkDoor | None,
    inboxes: Inboxes,
    signer: Signer,
    why_not_ready: Callable[[], str],
    instance: str,
    tracking_plan: Callable[[], TrackingPlan | None] = no_plan,
    with_storefront: bool = False,
) -> IngestDoor:
    """All that clients may reach; `instance` begins request ids, different in each run."""
    return IngestDoor(
        submit=shell.submit,
        now_ms=clock.now_ms,
        keys=settings.keys.write,
        trigger_keys=settings.keys.trigger,
        campaigns=lambda: processor.plan.campaigns,
        would=Looking(processor, clock.now_ms).would,
        why_not_ready=why_not_ready,
        metrics=metrics,
        log=structlog.get_logger("hairspring.http"),
        instance=instance,
        limits=Limits.of(settings.server),
        webhooks=webhooks_of(
            settings,
            shell=shell,
            processor=processor,
            store=store,
            clock=clock,
            metrics=metrics,
            tracking_plan=tracking_plan,
        ),
        links=links,
        storefront=_storefront(settings, signer) if with_storefront else None,
        tracking_plan=tracking_plan,
        channels=channel_doors(
            settings,
            data,
            shell=shell,
            processor=processor,
            clock=clock,
            inboxes=inboxes,
            signer=signer,
        ),
    )


def _storefront(settings: Settings, signer: Signer) -> Storefront:
    shop = settings.shop
    return Storefront(signer, settings.keys.write[0].key, shop.name, shop.currency)
