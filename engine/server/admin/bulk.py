"""`POST /api/trigger`: a campaign started by hand for users by name, or for a whole segment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from config.faults import nearest
from engine.core.durations import DurationError, parse_duration_ms
from engine.core.intake.items import ItemInvalid
from engine.core.intake.starts import StartSaid, campaign_of, content_of, user_of
from engine.runtime.aside import aside
from engine.runtime.bulk import PER_SECOND, PER_SECOND_MAX, Bulk, Starting
from engine.server.admin.progress import tell_long
from engine.server.answers import Fault, Refusal
from engine.server.forms import read_form
from engine.server.starting import unknown_campaign

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.core.conditions.condition import Condition
    from engine.core.plan import Plan
    from engine.server.admin.operating import House

RUN_LENGTH_MAX = 200
"""Characters of a run's name."""


class BulkAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body.

    Attributes:
        campaign: The campaign's id; `_` and `-` are alike.
        user_ids: Whom; or else a segment.
        segment: Its id: whoever is in it.
        content: A JSON object.
        run: Names the bulk start: said again under this name, it passes over whom it has started.
        per_second: Users a second.
        over: In how long, as `30m`; `per_second` follows from it.
        dry_run: Whether it is only told what would come of it.
    """

    campaign: str
    user_ids: list[Any] = []
    segment: str = ""
    content: msgspec.Raw = msgspec.Raw(b"")
    run: str = ""
    per_second: float = PER_SECOND
    over: str = ""
    dry_run: bool = False


def bulk_handler(enter: Callable[[web.Request], House]) -> Handler:
    """The handler; `enter` lets in whoever has a key."""

    async def trigger(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        asked = await read_form(request, BulkAsked)
        try:
            # On a thread: to judge hundreds of thousands of ids takes longer than a deadline may.
            bulk = await aside(partial(_bulk, asked, house.processor.plan))
        except ItemInvalid as fault:
            faults = [Fault(fault.path, fault.message)]
            raise Refusal(400, "body.invalid", fault.text, faults=faults) from fault
        starting = Starting(house.shell, house.clock.now_ms, house.stopping)
        work = starting.look if asked.dry_run else starting.start
        return await tell_long(request, lambda told: work(bulk, told))

    return trigger


def _bulk(asked: BulkAsked, plan: Plan) -> Bulk:
    """What to do. Raises ItemInvalid; Refusal (404) where there is no such campaign or segment."""
    campaign = campaign_of(asked.campaign, None)
    if campaign not in plan.campaigns:
        raise unknown_campaign(campaign, plan.campaigns)
    if bool(asked.segment) is bool(asked.user_ids):
        raise ItemInvalid("say user_ids or segment, one of them")
    if len(asked.run) > RUN_LENGTH_MAX:
        raise ItemInvalid(f"longer than {RUN_LENGTH_MAX} characters", path="$.run")
    if not 0 < asked.per_second <= PER_SECOND_MAX:
        told = f"is no number above 0 and up to {PER_SECOND_MAX:g}"
        raise ItemInvalid(told, path="$.per_second")
    run = f"{campaign} {asked.run}" if asked.run else ""
    named = [user_of(one, f"$.user_ids[{i}]") for i, one in enumerate(asked.user_ids)]
    return Bulk(
        StartSaid(campaign, content_of(asked.content), run),
        None if asked.segment else list(dict.fromkeys(named)),
        _segment(asked.segment, plan) if asked.segment else None,
        asked.per_second,
        _over_ms(asked.over),
    )


def _segment(segment: str, plan: Plan) -> Condition:
    if segment not in plan.segments:
        near = nearest(segment, plan.segments) or "it has none at all"
        message = f"the shop has no segment {segment[:100]!r}; {near}"
        raise Refusal(404, "segment.unknown", message)
    return plan.segments[segment]


def _over_ms(over: str) -> int | None:
    if not over:
        return None
    try:
        return parse_duration_ms(over)
    except DurationError as error:
        raise ItemInvalid(error.message, path="$.over", hint=error.hint) from error
