"""*Deadlines* and *Segments*: what fires when and who is where, by the last round over users."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Final

from engine.runtime.admin.outlook import HOUR_MS
from engine.server.dashboard import charts, words
from engine.server.dashboard.flow import campaign_address
from engine.server.dashboard.frame import Page, card, look_again, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.now import of

if TYPE_CHECKING:
    from aiohttp import web

    from engine.runtime.admin.outlook import Outlook, Round
    from engine.runtime.admin.overview import Overview
    from engine.server.admin.operating import House

HOURS: Final = 48
"""Of the chart."""

DAYS: Final = 30
"""Of a segment's trend."""

ROWS: Final = 100
"""Of the list below it."""

_AGAIN_S: Final = 5


async def deadlines(house: House, _request: web.Request, _mark: str) -> Page:
    """What fires when, by campaign and hour."""
    outlook = of(house).outlook
    found = await outlook.soon()
    now_hour = house.clock.now_ms() // HOUR_MS
    content = _waiting(outlook) if found is None else _due(found, now_hour)
    lead = "What happens by time alone, if nobody does anything. Hours are UTC."
    return Page(title="Deadlines", path="/deadlines", lead=lead, content=_live(content, found))


async def segments(house: House, _request: web.Request, _mark: str) -> Page:
    """How many are in each segment."""
    overview, plan = of(house), house.processor.plan
    outlook = overview.outlook
    found = await outlook.soon()
    if not plan.segments:
        empty = "The shop names no segment. ", tag("code", "segments.yaml"), " names some."
        told = card("All segments", tag("p", empty, class_="empty"))
        return Page(title="Segments", path="/segments", content=told)
    if found is None:
        return Page(title="Segments", path="/segments", content=_live(_waiting(outlook), found))
    trends = await _trends(overview)
    rows: list[list[Content]] = [
        [
            tag("strong", name),
            words.count(users),
            words.share(users, found.users),
            charts.meter(users, found.users),
            _trend(name, [*trends.get(name, []), float(users)]),
            tag("code", plan.segments[name].text, class_="wide"),
        ]
        for name, users in overview.trend.sizes(found).items()
    ]
    heads = ["Segment", "Users#", "Of all#", "Share", f"{DAYS} days", "Condition"]
    told = card("All segments", table("Segments", heads, rows), _as_of(found))
    return Page(title="Segments", path="/segments", content=_live(told, found))


async def _trends(overview: Overview) -> dict[str, list[float]]:
    """By segment, its size at the end of each day that is kept."""
    trends: dict[str, list[float]] = {}
    for one in await overview.trend.days(DAYS):
        trends.setdefault(one.segment, []).append(float(one.users))
    return trends


def _trend(name: str, sizes: list[float]) -> Html:
    return charts.line(sizes, f"Users in {name}, day by day: {words.count(sizes[-1])} now")


def _live(content: Content, found: Round | None) -> Html:
    again_s = _AGAIN_S if found is not None else 1
    return tag("div", content, id="found", data_again=again_s)


def _waiting(outlook: Outlook) -> Html:
    under_way = outlook.under_way
    done, total = (under_way.users, under_way.total) if under_way is not None else (0, 0)
    text = f"Everybody is being counted: {words.count(done)} of {words.count(total)} so far."
    return tag("div", tag("p", text, class_="empty", role="status"), look_again())


def _as_of(found: Round) -> Html:
    users = words.count(found.users)
    return tag("p", f"{users} users, counted from ", words.instant(found.began_at_ms), " UTC on.",
               class_="soft")  # fmt: skip


def _due(found: Round, now_hour: int) -> Html:
    hours = range(now_hour, now_hour + HOURS)
    by_hour: Counter[int] = Counter()
    for (_, hour), count in found.due.items():
        by_hour[max(hour, now_hour)] += count
    values = [float(by_hour[hour]) for hour in hours]
    labels = [f"{_hour(hour)}: {words.count(by_hour[hour])}" for hour in hours]
    whole = sum(by_hour.values())
    within = int(sum(values))
    chart = charts.bars(values, labels, f"Deadlines of the next {HOURS} hours, an hour each")
    told = tag("p", tag("span", words.count(within), class_="big"),
               f" of {words.count(whole)} deadlines within {HOURS} hours")  # fmt: skip
    ends = words.minute(hours[0] * HOUR_MS), words.minute((hours[-1] + 1) * HOUR_MS)
    axis = tag("p", [tag("span", end) for end in ends], class_="axis")
    return tag(
        "div",
        card(f"The next {HOURS} hours", told, chart, axis, _as_of(found)),
        _by_hour(found),
        _by_campaign(found),
    )


def _by_hour(found: Round) -> Html:
    rows: list[list[Content]] = []
    due = sorted(found.due.items(), key=lambda one: (one[0][1], one[0][0]))
    for hour, group in groupby(due, key=lambda one: one[0][1]):
        for (campaign, _), count in group:
            link = tag("a", campaign, href=campaign_address(campaign))
            rows.append([words.minute(hour * HOUR_MS), link, words.count(count)])
    heads = ["Hour from", "Campaign", "Deadlines#"]
    told = table("Deadlines by hour and campaign", heads, rows[:ROWS], empty="Nothing is due.")
    more = tag("p", f"And {words.count(len(rows) - ROWS)} lines more.", class_="soft")
    return card("By hour and campaign", told, more if len(rows) > ROWS else None)


def _by_campaign(found: Round) -> Html:
    names = sorted({name for name, _ in (*found.due, *found.asked)})
    rows: list[list[Content]] = [
        [
            tag("a", name, href=campaign_address(name)),
            words.count(sum(n for (one, _), n in found.due.items() if one == name)),
            words.count(sum(n for (one, _), n in found.asked.items() if one == name)),
        ]
        for name in names
    ]
    heads = ["Campaign", "Inside it#", "Asked again#"]
    lead = (
        "Inside it, something is due to an enrollment; else a condition that may let somebody in."
    )
    return card(
        "By campaign",
        tag("p", lead, class_="soft"),
        table("Deadlines by campaign", heads, rows, empty="Nothing is due."),
    )


def _hour(hour: int) -> str:
    return f"{hour % 24:02d}:00"
