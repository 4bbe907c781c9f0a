"""`GET /api/deadlines`, `GET /api/segments`: what is due when, and who is in which segment.

Both are told from one round over everybody, in slices, that is some seconds old at the most, or,
where the last look was longer ago, from the one before.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from engine.core.instants import format_instant
from engine.runtime.admin.trend import DAY_MS, HOUR_MS
from engine.server.answers import Refusal, answer_json
from engine.server.queries import whole_number_asked
from engine.store.segments import DAYS_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.runtime.admin.outlook import Round
    from engine.runtime.admin.overview import Overview
    from engine.server.admin.operating import House
    from engine.store.segments import Size

DAYS_AHEAD: Final = 7
DAYS_AHEAD_MAX: Final = 31
DAYS_BACK: Final = 30


def outlook_handlers(
    enter: Callable[[web.Request], House],
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def deadlines(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        days = whole_number_asked(request, "days", DAYS_AHEAD, 1, DAYS_AHEAD_MAX)
        return answer_json(_deadlines_told(await _round(_overview(house)), days))

    async def segments(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        days = whole_number_asked(request, "days", DAYS_BACK, 1, DAYS_KEPT)
        overview = _overview(house)
        found = await _round(overview)
        trends = _by_segment(await overview.trend.days(days))
        conditions = house.processor.plan.segments
        told = [
            {
                "segment": name,
                "users": users,
                "condition": conditions[name].text,
                "trend": trends.get(name, []),
            }
            for name, users in overview.trend.sizes(found).items()
        ]
        at = format_instant(found.began_at_ms)
        return answer_json({"at": at, "users": found.users, "segments": told})

    return {"/api/deadlines": {"GET": deadlines}, "/api/segments": {"GET": segments}}


def _deadlines_told(found: Round, days: int) -> dict[str, object]:
    """What a round has found to be due, in order of time and campaign. O(campaigns * hours)."""
    end = found.began_at_ms // HOUR_MS + days * 24
    counted = sorted({(hour, campaign) for campaign, hour in found.due | found.asked})
    hours = [
        {
            "hour": format_instant(hour * HOUR_MS),
            "campaign": campaign,
            "due": found.due[campaign, hour],
            "asked": found.asked[campaign, hour],
        }
        for hour, campaign in counted
        if hour < end
    ]
    later = [(campaign, hour) for hour, campaign in counted if hour >= end]
    return {
        "at": format_instant(found.began_at_ms),
        "users": found.users,
        "hours": hours,
        "later": {
            "due": sum(found.due[one] for one in later),
            "asked": sum(found.asked[one] for one in later),
        },
    }


def _by_segment(kept: list[Size]) -> dict[str, list[dict[str, object]]]:
    return {
        name: [
            {"day": format_instant(one.day * DAY_MS)[:10], "users": one.users, "total": one.total}
            for one in sizes
        ]
        for name, sizes in groupby(kept, key=attrgetter("segment"))
    }


def _overview(house: House) -> Overview:
    assert house.overview is not None, "whoever serves has one"
    return house.overview


async def _round(overview: Overview) -> Round:
    """The newest round; the first one is waited for."""
    found = overview.outlook.look() or await overview.outlook.settled()
    if found is None:  # it was cancelled: the process stops
        raise Refusal(503, "not_ready", "the process is stopping", headers={"Retry-After": "1"})
    return found
