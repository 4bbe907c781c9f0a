"""*Campaigns*: the list, and each as its flow; *Experiments*: what is known, and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.server.answers import Refusal
from engine.server.dashboard import charts, words
from engine.server.dashboard.flow import campaign_address, draw
from engine.server.dashboard.frame import Page, card, pair, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.now import of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from engine.server.admin.operating import House

_AGAIN_S: Final = 5
_WITHIN_S: Final = 0.02
"""How long a page waits for who is inside to be counted; what it shows comes anew soon."""

_CENTS_BELOW: Final = 1_000
_WHOLE_BELOW: Final = 1_000_000

_STATUS: Final = {"live": "good", "test": "warn", "paused": "warn"}


async def show_all(house: House, _request: web.Request, _mark: str) -> Page:
    """All campaigns, with their last day hour by hour."""
    told = (await of(house).performance(_WITHIN_S)).campaigns()
    rows = [_row(one, told["currency"]) for one in told["campaigns"]]
    heads = ["Campaign", "Status", "Sent, last 24 h", "Inside#", "Entered#", "Sent#", "Opened#",
             "Clicked#", "Converted#", "Value#"]  # fmt: skip
    listed = table(
        "Campaigns", heads, rows, empty="The shop has no campaign: a file in campaigns/ is one."
    )
    found = tag(
        "div", card("All campaigns", _behind(told), listed), id="found", data_again=_AGAIN_S
    )
    return Page(title="Campaigns", path="/campaigns", content=found)


async def show(house: House, request: web.Request, _mark: str) -> Page:
    """One campaign."""
    campaign_id = request.match_info["id"]
    campaign = house.processor.plan.campaigns.get(campaign_id)
    told = (await of(house).performance(_WITHIN_S)).campaign(campaign_id)
    if campaign is None or told is None:
        message = f"there is no campaign {campaign_id[:100]!r} in the shop"
        raise Refusal(404, "campaign.unknown", message)
    found = tag(
        "div",
        _behind(told),
        _tiles(told),
        card("Flow", draw(campaign, told)),
        _channels(told),
        _reasons(told),
        [_experiment(one, campaign_id) for one in told["experiments"]],
        _factorial(told),
        _holdout(told),
        id="found",
        data_again=_AGAIN_S,
    )
    status = [
        tag("span", told["status"], class_=f"pill {_STATUS.get(told['status'], 'plain')}"),
        tag("a", "File and backtest", href=f"{campaign_address(campaign_id)}/file",
            class_="act other"),
    ]  # fmt: skip
    return Page(title=campaign_id, path="/campaigns", lead=told["description"] or None,
                beside=status, content=found)  # fmt: skip


async def experiments(house: House, _request: web.Request, _mark: str) -> Page:
    """Every split and holdout of the shop."""
    performance = await of(house).performance(_WITHIN_S)
    parts: list[Html] = []
    for campaign_id in house.processor.plan.campaigns:
        told = performance.campaign(campaign_id)
        if told is not None:
            parts += [_experiment(one, campaign_id) for one in told["experiments"]]
            parts += [one for one in (_factorial(told), _holdout(told)) if one is not None]
    empty = "No campaign has a split or a holdout. A step with split: would make one."
    found = tag("div", parts or card("Experiments", tag("p", empty, class_="empty")),
                id="found", data_again=_AGAIN_S)  # fmt: skip
    lead = (
        "Intervals hold however often they are looked at: a test may be ended as soon as one "
        "decides it."
    )
    return Page(title="Experiments", path="/experiments", lead=lead, content=found)


def _behind(told: dict[str, Any]) -> Content:
    if not told["behind"]:
        return None
    text = f"{words.count(told['behind'])} records from before the start are still being counted."
    return tag("p", text, class_="soft", role="status")


def _row(one: dict[str, Any], currency: str) -> list[Content]:
    sent = [float(hour["sent"]) for hour in one["trend"]]
    label = f"Messages sent in each of the last 24 hours: {words.count(sum(sent))} in all"
    return [
        tag("a", one["id"], href=campaign_address(one["id"])),
        tag("span", one["status"], class_=f"pill {_STATUS.get(one['status'], 'plain')}"),
        charts.line(sent, label),
        *(
            words.count(one[name])
            for name in ("active", "entered", "sent", "opened", "clicked", "converted")
        ),
        _money(one["goal_value"], currency),
    ]


def _tiles(told: dict[str, Any]) -> Html:
    entered, rate = told["entered"], told["goal_rate"]
    return tag(
        "div",
        _tile("Inside now", words.count(told["active"]), f"{words.count(entered)} entered",
              _trend(told, "entered")),
        _tile("Sent", words.count(told["sent"]),
              f"{words.count(told['delivered'])} delivered{_late(told['lateness'])}",
              _trend(told, "sent")),
        _tile("Opened", words.count(told["opened"]),
              f"{words.share(told['opened'], told['delivered'])} of what was delivered"
              f"{_soon(told, 'opened')}",
              _trend(told, "opened")),
        _tile("Clicked", words.count(told["clicked"]),
              f"{words.share(told['clicked'], told['delivered'])} of what was delivered"
              f"{_soon(told, 'clicked')}",
              _trend(told, "clicked")),
        _tile("Converted", words.count(told["converted"]), _interval(rate),
              _trend(told, "converted")),
        _tile("Value", _amount(told["goal_value"], told["currency"]), _earned(told), None),
        class_="tiles",
    )  # fmt: skip


def _soon(told: dict[str, Any], kind: str) -> str:
    taken = told["response"][kind]
    return "" if taken is None else f"; half of them within {words.span(taken['p50_ms'])}"


def _late(late: dict[str, Any]) -> str:
    return "" if late["p99_ms"] is None else f"; late by p99 {words.span(late['p99_ms'])}"


def _earned(told: dict[str, Any]) -> str:
    """What of a campaign's value its messages brought, for what they cost."""
    attributed, currency = told["attributed"], told["currency"]
    if not attributed["goals"]:
        return ""
    said = f"{_money(attributed['goal_value'], currency)} after a message"
    if attributed["goals_clicked"]:
        clicked = words.count(attributed["goals_clicked"])
        said += f" ({clicked} of {words.count(attributed['goals'])} after a click)"
    if told["cost"]:
        said += f", for {_money(told['cost'], currency)}: ROI {_roi(attributed['roi'])}"
    return said


def _roi(roi: float | None) -> str:
    return words.NONE if roi is None else f"{100 * roi:+,.0f} %"


def _amount(value: float, currency: str) -> Content:
    """Money in large letters, which have room for a few: to the cent where it is little."""
    if not value:
        return words.NONE
    told = words.short(value) if abs(value) >= _WHOLE_BELOW else f"{value:,.0f}"
    told = f"{value:,.2f}" if abs(value) < _CENTS_BELOW else told
    return [told, " ", tag("small", currency)]


def _tile(name: str, big: Content, note: str, chart: Html | None) -> Html:
    told = tag("dl", tag("dt", name), tag("dd", big, class_="big"), tag("dd", note, class_="note"))
    return tag("div", told, chart, class_="tile")


def _trend(told: dict[str, Any], name: str) -> Html:
    values = [float(hour[name]) for hour in told["trend"]]
    return charts.line(values, f"{name}, hour by hour, over 24 hours")


_HEADS: Final = {"goals_clicked": "By click"}


def _channels(told: dict[str, Any]) -> Html:
    names = ("sent", "delivered", "opened", "clicked", "failed", "goals", "goals_clicked")
    currency = told["currency"]
    rows: list[list[Content]] = [
        [one["channel"], *(words.count(one[name]) for name in names),
         _money(one["goal_value"], currency), _money(one["cost"], currency), _roi(one["roi"])]
        for one in told["channels"]
    ]  # fmt: skip
    heads = [
        "Channel",
        *(f"{_HEADS.get(name, name.capitalize())}#" for name in names),
        "Value#",
        "Cost#",
        "ROI#",
    ]
    note = (
        "Goals and their value are those of the last touch: the message that was clicked last "
        "before, or where none was, the one that was delivered last."
    )
    return card("By channel", table("By channel", heads, rows), tag("p", note, class_="soft"))


def _reasons(told: dict[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [what, tag("code", reason or "any"), words.count(count)]
        for what, reasons in (
            ("not let in", told["refused"]),
            ("not sent", told["skipped"]),
            ("left", told["exited"]),
        )
        for reason, count in reasons.items()
    ]
    return card("Why not", table("Why not", ["What", "Reason", "Times#"], rows))


def _experiment(told: dict[str, Any], campaign_id: str) -> Html:
    rows: list[list[Content]] = [list(_variant(one)) for one in told["variants"]]
    heads = ["Variant", "Weight#", "Entered#", "Converted#", "Rate and interval", "Best#",
             "Against the first", "Cost#", "ROI#"]  # fmt: skip
    where = tag("a", campaign_id, href=campaign_address(campaign_id))
    mode = " (a bandit)" if told["mode"] == "bandit" else ""
    return card(
        f"{campaign_id}: {told['split']}",
        tag("p", words.sentence(told["verdict"]), class_="verdict"),
        table(f"Variants of {told['split']}", heads, rows),
        tag("p", "In ", where, f", step {told['step']}{mode}.", class_="soft"),
        id_=f"split-{campaign_id}-{told['split']}",
    )


def _variant(one: dict[str, Any]) -> Iterator[Content]:
    yield tag("strong", one["variant"])
    yield words.share(one["weight"], 1)
    yield words.count(one["entered"])
    yield words.count(one["goals"])
    yield pair(_interval(one["rate"]))
    yield words.NONE if one["best"] is None else words.share(one["best"], 1)
    yield pair(words.NONE if one["lift"] is None else _interval(one["lift"], signed=True))
    yield words.NONE if one["cost"] is None else _money(one["cost"], "")
    yield _roi(one["roi"])


def _factorial(told: dict[str, Any]) -> Html | None:
    """What the variants of crossed splits do each by itself, and two of them together."""
    factorial = told["factorial"]
    if factorial is None:
        return None
    rows: list[list[Content]] = [
        [
            " with ".join(f"{split}: {variant}" for split, variant in one["variants"].items()),
            "by itself" if len(one["variants"]) == 1 else "together, beyond both",
            pair(_interval(one["effect"], signed=True)),
        ]
        for one in factorial["effects"]
    ]
    return card(
        f"{told['id']}: its splits together",
        table("Effects", ["Variant", "Effect", "On the rate"], rows, blocks=True),
        tag("p", "Against the first of each split, averaged over all others.", class_="soft"),
        id_=f"splits-{told['id']}",
    )


def _holdout(told: dict[str, Any]) -> Html | None:
    holdout = told["holdout"]
    if holdout is None:
        return None
    rows: list[list[Content]] = [
        [name, words.count(arm["entered"]), words.count(arm["goals"]),
         pair(_interval(arm["rate"])), _money(arm["goal_value"], told["currency"])]
        for name, arm in (("reached", holdout["treated"]), ("held out", holdout["held_out"]))
    ]  # fmt: skip
    heads = ["Group", "Entered#", "Converted#", "Rate and interval", "Value#"]
    return card(
        f"{told['id']}: lift over holdout",
        tag("p", words.sentence(holdout["verdict"]), class_="verdict"),
        table("Holdout", heads, rows),
        tag(
            "p",
            "Lift ",
            _interval(holdout["lift"], signed=True),
            f", ROI of what came by it {_roi(holdout['roi'])}"
            if holdout["roi"] is not None
            else None,
            class_="soft",
        ),
        id_=f"holdout-{told['id']}",
    )


def _interval(told: dict[str, Any] | None, *, signed: bool = False) -> str:
    if told is None or (told["low"] is None and told["high"] is None):
        return words.NONE
    form, unit = ("+.1f", "points") if signed else (".1f", "%")
    estimate = f"{100 * told['estimate']:{form}} {unit}"
    return f"{estimate} ({100 * told['low']:{form}} to {100 * told['high']:{form}})"


def _money(value: float, currency: str) -> str:
    return f"{value:,.2f} {currency}".strip() if value else words.NONE
