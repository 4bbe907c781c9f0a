"""The door for webhooks of a process: its sources, who its users are, what was sent to them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp

from engine.core.inputs import SentMessage
from engine.core.intake.tracking_plan import TrackingPlan, no_plan
from engine.core.people.consents import EVERYTHING, proofs
from engine.runtime.addresses import WRITTEN
from engine.runtime.admin.owners import Owners
from engine.runtime.clock import wall_ms
from engine.server.bodies import Limits
from engine.server.webhooks.door import WebhookDoor
from engine.server.webhooks.sources import sources_of
from engine.store import holdings

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import Settings
    from engine.runtime.parts import Parts
    from engine.runtime.processor import Processor
    from engine.server.webhooks.sns import Fetch
    from engine.store import Store

FETCH_WITHIN_S: Final = 10.0
FETCHED_BYTES_MAX: Final = 64 << 10
"""A certificate is a few KiB; an answer to a confirmation is not looked at."""


def webhooks_of(
    settings: Settings,
    parts: Parts,
    *,
    tracking_plan: Callable[[], TrackingPlan | None] = no_plan,
    fetch: Fetch | None = None,
) -> WebhookDoor:
    """That of a process. `fetch` asks Amazon."""
    owners = {channel: Owners(parts.processor, channel) for channel in WRITTEN}

    async def owners_of(channel: str, address: str) -> list[str]:
        return await owners[channel].of(address)

    return WebhookDoor(
        sources=sources_of(settings.webhooks, fetch or _fetch),
        submit=parts.shell.submit,
        now_ms=parts.clock.now_ms,
        wall_ms=wall_ms,
        is_known=parts.processor.__contains__,
        owners=owners_of,
        sent=partial(_sent, parts.store, parts.processor),
        refused_since=partial(_refused_since, parts.processor),
        was_said=partial(_was_said, parts, settings.events.dedupe_window_ms),
        metrics=parts.metrics,
        limits=Limits.of(settings.server),
        tracking_plan=tracking_plan,
    )


async def _sent(
    store: Store, processor: Processor, user_id: str, effect_id: str
) -> SentMessage | None:
    """What the record of a message says. O(the user's records)."""
    async for record in holdings.records_of(store, *processor.ids_of(user_id)):
        if record.kind == "sent" and record.message == effect_id:
            return SentMessage(
                effect_id,
                record.channel,
                campaign=record.campaign,
                enrollment=record.enrollment,
                step=record.step,
                template=record.template,
                variant=record.variant,
                sent_at_ms=record.judged_at_ms or record.at_ms,
            )
    return None


def _refused_since(processor: Processor, user_id: str, channel: str, at_ms: int) -> bool:
    """What he said last of a channel, by the proofs of it. O(those)."""
    user = processor.find(user_id)
    said = [] if user is None else [one for one in proofs(user) if one[1] in (channel, EVERYTHING)]
    return bool(said) and not said[-1][2] and said[-1][0] > at_ms


async def _was_said(
    parts: Parts, window_ms: int, user_id: str, message_id: str, since_ms: int
) -> bool:
    """Whether it is kept, though nobody remembers its id. O(the user's inputs that are kept).

    What can only have been said within the window is not looked for: its id is remembered, and
    the answer then waits for the commit that carries the original, as that to any duplicate.
    """
    dedupe = parts.processor.dedupe
    if dedupe is None or message_id in dedupe:
        return False
    if since_ms > parts.clock.now_ms() - window_ms and not dedupe.forgotten:
        return False
    ids = parts.processor.ids_of(user_id)
    async for happened in holdings.inputs_of(parts.store, *ids):
        if getattr(happened, "message_id", "") == message_id:
            return True
    return False


async def _fetch(address: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_WITHIN_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(address, allow_redirects=False) as answer,
    ):
        answer.raise_for_status()
        return await answer.content.read(FETCHED_BYTES_MAX)
