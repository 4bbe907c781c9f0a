"""*Funnel* and *Discover*: where users get to, and what goes before a goal, by the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from engine.runtime.errands import DAYS_MAX, DiscoverErrand, FunnelErrand
from engine.server.admin.looking import FUNNEL_WITHIN, GOAL_WITHIN, duration_asked
from engine.server.admin.simulating import archive_of
from engine.server.answers import Refusal
from engine.server.dashboard import charts, frame, studied, words
from engine.server.dashboard.frame import Page, card, pair, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from engine.runtime.errands import Archive
    from engine.server.admin.operating import House

STAGES: Final = 6
"""Fields for events; the route for programs takes more."""

DAYS_USUAL: Final = 30
_OFFERED_MAX: Final = 8

_COUNTS: Final = "times"


class _Asked(NamedTuple):
    archive: Archive
    within_ms: int


_TEN = 10


async def funnel(house: House, request: web.Request, _mark: str) -> Page:
    """How many did one thing after the other."""
    events = [name.strip() for name in request.query.getall("event", []) if name.strip()][:STAGES]
    asked = _asked(house, request, FUNNEL_WITHIN)
    fields = [
        _event_field(f"e{place}", "event", f"{place + 1}. event", name)
        for place, name in enumerate([*events, *[""] * (STAGES - len(events))])
    ]
    label = "From one to the next within"
    form = _form(house, "/funnel", fields, request, FUNNEL_WITHIN, label, asked)
    found: Content = None
    if events and isinstance(asked, _Asked):
        errand = FunnelErrand(archive=asked.archive, events=events, within_ms=asked.within_ms)
        study = studied.looked(house, f"funnel {request.path_qs}", errand)
        found = studied.parts((study, _funnel_told))
    lead = "Of those who did the first, how many did each next one after it, and how soon."
    content = tag("div", card("Which events", form), found or _funnels(house, request))
    return Page(title="Funnel", path="/funnel", lead=lead, content=content, status=_status(asked))


async def discover(house: House, request: web.Request, _mark: str) -> Page:
    """Which event, how often and within what time, goes before a goal."""
    goal, cohort = request.query.get("goal", "").strip(), request.query.get("cohort", "").strip()
    asked = _asked(house, request, GOAL_WITHIN)
    fields = [
        _event_field("goal", "goal", "Goal", goal, required=True),
        _field("cohort", "Cohorts: a trait (empty: first week)", cohort),
    ]
    form = _form(house, "/discover", fields, request, GOAL_WITHIN, "Reached within", asked)
    found: Content = None
    if goal and isinstance(asked, _Asked):
        errand = DiscoverErrand(
            archive=asked.archive,
            goal=goal,
            within_ms=asked.within_ms,
            cohort=cohort or "week",
        )
        study = studied.looked(house, f"discover {request.path_qs}", errand)
        found = studied.parts((study, _discover_told))
    lead = (
        "What users had done who then came to the goal, held against those who had not. "
        "That one goes before the other does not make it its cause: try it with a holdout."
    )
    content = tag("div", card("Which goal", form), found or _goals(house, request))
    status = _status(asked)
    return Page(title="Discover", path="/discover", lead=lead, content=content, status=status)


def _funnels(house: House, request: web.Request) -> Html | None:
    """Ways to begin: from what brings people into a campaign to its goal."""
    pairs = {
        (event, goal): None
        for campaign in house.processor.plan.campaigns.values()
        for event in campaign.entry.events
        for goal in (campaign.goal.events if campaign.goal is not None else ())
    }
    asked = [(" \u2192 ".join(pair), [("event", name) for name in pair]) for pair in pairs]
    return _offered("/funnel", "From a campaign's start to its goal", asked, request)


def _goals(house: House, request: web.Request) -> Html | None:
    """Ways to begin: what campaigns are for."""
    goals = {
        name: None
        for campaign in house.processor.plan.campaigns.values()
        for name in (campaign.goal.events if campaign.goal is not None else ())
    }
    asked = [(name, [("goal", name)]) for name in goals]
    return _offered("/discover", "A campaign's goal", asked, request)


def _offered(
    path: str, title: str, asked: list[tuple[str, list[tuple[str, str]]]], request: web.Request
) -> Html | None:
    if not asked:
        return None
    kept = [(name, request.query[name]) for name in ("within", "days") if name in request.query]
    links = [
        tag("li", tag("a", text, href=f"{path}?{urlencode([*said, *kept])}"))
        for text, said in asked[:_OFFERED_MAX]
    ]
    return card(title, tag("ul", links, class_="offered"))


def _asked(house: House, request: web.Request, within: str) -> _Asked | Refusal:
    """What a form says, or what is wrong with it: that is told beside what was typed."""
    try:
        within_ms = duration_asked(request, within)
        days = whole_number_asked(request, "days", DAYS_USUAL, 1, DAYS_MAX)
    except Refusal as refusal:
        return refusal
    return _Asked(archive_of(house, days), within_ms)


def _status(asked: _Asked | Refusal) -> int:
    return asked.status if isinstance(asked, Refusal) else 200


def _form(
    house: House,
    action: str,
    fields: Sequence[Html],
    request: web.Request,
    within: str,
    label: str,
    asked: _Asked | Refusal,
) -> Html:
    """Asks for events; `n` is another each time, so that what is asked again is counted anew."""
    names = [tag("option", value=name) for name in house.processor.plan.events]
    days = request.query.get("days", str(DAYS_USUAL))
    wrong = asked.message if isinstance(asked, Refusal) else ""
    return tag(
        "form",
        frame.wrong(wrong) if wrong else None,
        tag("input", type="hidden", name="n", value=house.clock.now_ms()),
        fields,
        _field("within", label, request.query.get("within", within), wrong=wrong),
        _field("days", "Days of the archive", days, type_="number", wrong=wrong),
        tag("datalist", names, id="events"),
        tag("button", "Look"),
        action=action,
        class_="fields",
    )


def _event_field(id_: str, name: str, label: str, value: str, *, required: bool = False) -> Html:
    return tag(
        "div",
        tag("label", label, for_=id_),
        tag("input", id=id_, name=name, value=value, list="events", autocomplete="off",
            spellcheck="false", maxlength=1_000, required=required),
        class_="field",
    )  # fmt: skip


def _field(name: str, label: str, value: str, *, type_: str = "text", wrong: str = "") -> Html:
    limits = {"min": 1, "max": DAYS_MAX} if type_ == "number" else {}
    is_wrong = wrong.startswith(name)  # as what is said of a query does
    return tag(
        "div",
        tag("label", label, for_=name),
        tag("input", id=name, name=name, value=value, type=type_, autocomplete="off",
            spellcheck="false", aria_invalid="true" if is_wrong else None,
            aria_describedby="wrong" if is_wrong else None, **limits),
        class_="field",
    )  # fmt: skip


def _funnel_told(told: dict[str, Any]) -> Content:
    stages = told["stages"]
    most = stages[0]["users"] if stages else 0
    rows: list[list[Content]] = [
        [
            tag("strong", one["event"]),
            charts.meter(one["users"], most),
            words.count(one["users"]),
            words.share(one["of_first"], 1) if most else words.NONE,
            _between(one["of_before"], one["interval"]) if place and most else words.NONE,
            words.NONE if one["median_ms"] is None else words.span(one["median_ms"]),
        ]
        for place, one in enumerate(stages)
    ]
    heads = ["Event", "Share", "Users#", "Of the first#", "Of the one before", "Half within#"]
    reached = stages[-1]["users"] if stages else 0
    verdict = f"{words.count(reached)} of {words.count(most)} came from the first to the last"
    if told["median_ms"] is not None and len(stages) > 1:
        verdict += f", half of them within {words.span(told['median_ms'])}"
    return card(
        "How far they came",
        tag("p", verdict + ".", class_="verdict", role="status"),
        table("Funnel", heads, rows),
        studied.spanned(told),
        _sampled(told["share"]),
    )


def _discover_told(told: dict[str, Any]) -> Content:
    found = told["found"]
    tried = (
        f"{words.count(found['users'])} users were looked at, {words.count(found['reached'])} of "
        f"them reached it within {found['within']}; {words.count(found['tried'])} combinations of "
        f"event, count and window were tried ({told['correction']})."
    )
    findings = found["findings"]
    verdict = _best(findings[0], found) if findings else "Nothing stands out from chance."
    if not found["users"]:
        verdict = (
            "Nobody can be looked at yet: it takes users whose events lie "
            f"{found['within']} or more behind."
        )
    suggestion: Content = None
    if told["suggestion"]:
        suggestion = card(
            "As a campaign",
            tag("p", "Paused, and with half held out: that tells whether it is a cause.",
                class_="soft"),
            tag("pre", told["suggestion"], tabindex="0", aria_label="Suggested campaign as YAML"),
        )  # fmt: skip
    return [
        card(
            "What goes before it",
            tag("p", verdict, class_="verdict", role="status"),
            _findings(findings) if findings else None,
            tag("p", tried, class_="soft"),
            studied.spanned(told),
            _sampled(found["share"]),
        ),
        _cohorts(findings, told["cohort"]),
        tag(
            "div",
            _paths("Paths to the goal", "reached", found["paths"], found["reached"]),
            _paths("Paths elsewhere", "others", found["paths_else"],
                   found["users"] - found["reached"]),
            class_="grid two",
        ),
        suggestion,
    ]  # fmt: skip


def _best(one: dict[str, Any], found: dict[str, Any]) -> str:
    rates = words.share(one["did"]["rate"], 1), words.share(one["did_not"]["rate"], 1)
    return (
        f"Of those who did {_done(one)}, {rates[0]} came to {found['goal']} within "
        f"{found['within']}; of all others, {rates[1]}."
    )


def _done(one: dict[str, Any]) -> str:
    often = "" if one["count"] == 1 else f" {one['count']} {_COUNTS} or more"
    return f"{one['event']}{often} within {one['window']}"


def _findings(findings: list[dict[str, Any]]) -> Html:
    rows: list[list[Content]] = [
        [
            tag("strong", one["event"]),
            f"{one['count']}+",
            one["window"],
            words.count(one["did"]["users"]),
            _between(one["did"]["rate"], one["did"]["interval"]),
            _between(one["did_not"]["rate"], one["did_not"]["interval"]),
            _lift(one),
            f"{one['chance_adjusted']:.2g}",
        ]
        for one in findings
    ]
    heads = ["Event", "Times#", "Within#", "Did it#", "Reached of these", "Of the others", "Lift",
             "Chance#"]  # fmt: skip
    return table("Findings", heads, rows)


def _cohorts(findings: list[dict[str, Any]], by: str) -> Content:
    rows: list[list[Content]] = [
        [
            tag("strong", one["event"]),
            cohort["cohort"],
            words.count(cohort["did"]["users"]),
            words.share(cohort["did"]["rate"], 1),
            words.share(cohort["did_not"]["rate"], 1),
            _lift(cohort),
        ]
        for one in findings
        for cohort in one["cohorts"]
    ]
    if not rows:
        return None
    name = "week of first being seen" if by == "week" else by
    heads = ["Event", "Cohort", "Did it#", "Reached of these#", "Of the others#", "Lift"]
    return card(f"By cohort: {name}", table("Findings by cohort", heads, rows))


def _paths(title: str, whose: str, paths: list[dict[str, Any]], whole: int) -> Html:
    rows: list[list[Content]] = [
        [
            " → ".join(one["events"]) or "nothing before",
            words.count(one[whose]),
            words.share(one[whose], whole),
        ]
        for one in paths
    ]
    told = table(title, ["Events before", "Users#", "Share#"], rows, empty="None is known.")
    return card(title, told)


def _lift(one: dict[str, Any]) -> Html:
    low, high = one["lift_interval"]
    kind = "good" if low > 1 else "bad" if high < 1 else "plain"
    pill = tag("span", f"{_ratio(one['lift'])} times", class_=f"pill {kind}")
    return tag("span", pill, f" {_ratio(low)} to {_ratio(high)}", class_="unbroken")


def _ratio(ratio: float) -> str:
    return words.short(ratio) if ratio >= _TEN else f"{ratio:.2f}"


def _between(rate: float, interval: Sequence[float]) -> Html:
    told = f"{words.share(rate, 1)} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return pair(told)


def _sampled(share: float) -> Content:
    if share >= 1:
        return None
    text = f"Counted of {words.share(share, 1)} of all users, drawn by a hash of their ids."
    return tag("p", text, class_="soft")
