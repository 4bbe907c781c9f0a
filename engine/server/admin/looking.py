"""`GET /api/funnel`, `GET /api/discover`: what the archive's events tell, from a process beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.durations import DurationError, parse_duration_ms
from engine.runtime.errands import DAYS_MAX, DiscoverErrand, FunnelErrand
from engine.server.admin.simulating import archive_of, have_done
from engine.server.answers import Refusal
from engine.server.queries import instant_asked, whole_number_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.runtime.beside import Beside
    from engine.runtime.errands import Archive
    from engine.server.admin.operating import House

STAGES_MAX: Final = 20
USERS_MAX: Final = 100_000
USERS_USUAL: Final = 20_000
FUNNEL_WITHIN: Final = "7d"
GOAL_WITHIN: Final = "1d"


def looking_handlers(
    enter: Callable[[web.Request], House], beside: Callable[[House], Beside]
) -> Mapping[str, Handler]:
    """The routes' handlers; `enter` admits who may operate, `beside` does the work."""

    async def funnel(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        events = _events_asked(request)
        errand = FunnelErrand(
            archive=_archive_asked(request, house),
            events=events,
            within_ms=duration_asked(request, FUNNEL_WITHIN),
        )
        return await have_done(request, beside(house), errand)

    async def discover(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        goal = request.query.get("goal", "")
        if not goal:
            raise Refusal(400, "query.invalid", "say what is aimed at: ?goal=EVENT")
        errand = DiscoverErrand(
            archive=_archive_asked(request, house),
            goal=goal,
            within_ms=duration_asked(request, GOAL_WITHIN),
            cohort=request.query.get("cohort") or "week",
            users_max=whole_number_asked(request, "users", USERS_USUAL, 100, USERS_MAX),
        )
        return await have_done(request, beside(house), errand)

    return {"/api/funnel": funnel, "/api/discover": discover}


def _events_asked(request: web.Request) -> list[str]:
    """The names of `?events=A,B`, or of several `?event=A`, where a name has a comma in it."""
    named = request.query.getall("event", [])
    events = named or [one.strip() for one in request.query.get("events", "").split(",")]
    if not (1 <= len(events) <= STAGES_MAX and all(events)):
        message = f"say which events, 1 to {STAGES_MAX} of them: ?events=A,B,C"
        raise Refusal(400, "query.invalid", message)
    return events


def duration_asked(request: web.Request, usual: str) -> int:
    """`?within=`, in milliseconds. Raises Refusal (400)."""
    try:
        within_ms = parse_duration_ms(request.query.get("within", usual))
    except DurationError as error:
        message = f"within: {error.message}; {error.hint}"
        raise Refusal(400, "query.invalid", message) from error
    if not within_ms:
        raise Refusal(400, "query.invalid", "within: no time at all is too short")
    return within_ms


def _archive_asked(request: web.Request, house: House) -> Archive:
    """From `?since=` on, an instant; else the last `?days=`, else all of it."""
    since_ms = instant_asked(request, "since")
    days = whole_number_asked(request, "days", DAYS_MAX, 1, DAYS_MAX)
    return archive_of(house, days, since_ms)
