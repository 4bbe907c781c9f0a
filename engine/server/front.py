"""The door for clients of a process, made of its parts and of what the shop's settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from engine.core.intake.tracking_plan import no_plan
from engine.runtime.bulk import Looking
from engine.server.bodies import Limits
from engine.server.clients import Proxies
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
    from engine.runtime.delivery.inboxes import Inboxes
    from engine.runtime.parts import Parts
    from engine.server.links import LinkDoor


def front_door(
    settings: Settings,
    parts: Parts,
    *,
    data: Path,
    links: LinkDoor | None,
    inboxes: Inboxes,
    signer: Signer,
    why_not_ready: Callable[[], str],
    instance: str,
    tracking_plan: Callable[[], TrackingPlan | None] = no_plan,
    with_storefront: bool = False,
) -> IngestDoor:
    """All that clients may reach; `instance` begins request ids, different in each run."""
    processor, now_ms = parts.processor, parts.clock.now_ms
    return IngestDoor(
        submit=parts.shell.submit,
        now_ms=now_ms,
        keys=settings.keys.write,
        trigger_keys=settings.keys.trigger,
        campaigns=lambda: processor.plan.campaigns,
        would=Looking(processor, now_ms).would,
        why_not_ready=why_not_ready,
        metrics=parts.metrics,
        log=structlog.get_logger("hairspring.http"),
        instance=instance,
        limits=Limits.of(settings.server),
        proxies=Proxies(settings.server.proxies),
        webhooks=webhooks_of(settings, parts, tracking_plan=tracking_plan),
        links=links,
        storefront=_storefront(settings, signer) if with_storefront else None,
        tracking_plan=tracking_plan,
        channels=channel_doors(settings, parts, data=data, inboxes=inboxes, signer=signer),
    )


def _storefront(settings: Settings, signer: Signer) -> Storefront:
    shop = settings.shop
    return Storefront(signer, settings.keys.write[0].key, shop.name, shop.currency)
