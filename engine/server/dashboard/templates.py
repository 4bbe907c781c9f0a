"""*Templates*: each as it comes out now, with the clicks that its links got drawn beside them."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import web

from channels.links import beside_links
from channels.rendering import Rendered, RenderFailed
from channels.templates.plaintext import plain_text
from config import Shop
from engine.core.reports.tallies import LINK, chosen, link_mark
from engine.core.steps.kinds import Send
from engine.runtime.admin import dossier
from engine.runtime.admin.previewing import context_for, event_of, sample, snapshot_of
from engine.runtime.aside import aside
from engine.server.admin.users import unknown_user
from engine.server.answers import Refusal
from engine.server.dashboard import words
from engine.server.dashboard.flow import campaign_address
from engine.server.dashboard.frame import Page, card, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.now import of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from channels.rendering import Template
    from engine.server.admin.operating import House

_BODY_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "base-uri 'self'; form-action 'none'; frame-ancestors 'self'; sandbox"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Robots-Tag": "noindex, nofollow",
}
"""Of a message's own HTML: nothing of it runs, and nothing is asked of anybody else."""

_BADGE: Final = (
    "display:inline-block;margin:0 4px 0 0;padding:0 6px;border-radius:9px;background:#4338ca;"
    "color:#fff;font:600 12px/18px system-ui,sans-serif;letter-spacing:0;text-decoration:none;"
    "vertical-align:middle"
)
_NOWHERE: Final = '<base target="_blank">'
"""Before a message: its links would open a window, which a sandbox does not let them."""

_EVENTS: Final = 1_000
_NARROW: Final = "narrow"


class _Clicks(msgspec.Struct, frozen=True):
    """By the mark of where they lead, clicks on a template's links; and all of them."""

    by_mark: Counter[str]
    total: int


class _Made(msgspec.Struct, frozen=True):
    """A template as it came out, or why it did not."""

    rendered: Rendered | None
    why_not: str
    own: frozenset[str]


async def show_all(house: House, _request: web.Request, _mark: str) -> Page:
    """The list."""
    uses = _uses(house)
    rows: list[list[Content]] = [
        [
            tag("a", f"{name}.{channel}", href=address(name, channel)),
            channel,
            tag("code", one.path),
            ", ".join(sorted(each.locale for each in one.each() if each.locale)) or words.NONE,
            [[tag("a", campaign, href=campaign_address(campaign)), f" · {step} "]
             for campaign, step in uses.get((name, channel), ())] or words.NONE,
            words.count(_clicks(house, uses.get((name, channel), []), channel).total),
        ]
        for (name, channel), one in sorted(_templates(house).items())
    ]  # fmt: skip
    heads = ["Template", "Channel", "File", "Locales", "Sent by", "Clicks#"]
    told = card("All templates", table("Templates", heads, rows, empty="The shop has none."))
    return Page(title="Templates", path="/templates", content=told)


async def show(house: House, request: web.Request, _mark: str) -> Page:
    """One template, for somebody known or somebody who never was."""
    template = _find(house, request)
    made = await _make(house, request, template)
    clicks = _clicks(house, _uses(house).get((template.name, template.channel), []),
                     template.channel)  # fmt: skip
    content = [_form(template, request), _shown(template, made, clicks, request)]
    if made.rendered is not None and template.html:
        content.append(_links(made, clicks))
    return Page(
        title=f"{template.name}.{template.channel}",
        path="/templates",
        lead="As it comes out now. Nothing is sent, and no coupon is given out.",
        content=tag("div", content),
    )


async def body(house: House, request: web.Request, _mark: str) -> web.StreamResponse:
    """The message's own HTML, for the frame that it is shown in."""
    template = _find(house, request)
    made = await _make(house, request, template)
    if made.rendered is None:
        raise Refusal(422, "preview.failed", made.why_not)
    clicks = _clicks(house, _uses(house).get((template.name, template.channel), []),
                     template.channel)  # fmt: skip

    def badge(leads_to: str) -> str:
        count = 0 if leads_to in made.own else clicks.by_mark.get(link_mark(leads_to), 0)
        if not count:
            return ""
        told = f"{words.count(count)} · {words.share(count, clicks.total)}"
        return tag("span", told, style=_BADGE, title=f"{words.count(count)} clicks")

    text = _NOWHERE + beside_links(made.rendered.body, badge)
    return web.Response(text=text, headers=_BODY_HEADERS)


def address(name: str, channel: str) -> str:
    """Of a template's own page."""
    return f"/templates/{quote(f'{name}.{channel}', safe='')}"


def _templates(house: House) -> Mapping[tuple[str, str], Template]:
    return house.dispatcher.templates if house.dispatcher is not None else {}


def _find(house: House, request: web.Request) -> Template:
    said = request.match_info["id"]
    name, _, channel = said.rpartition(".")
    template = _templates(house).get((name, channel))
    if template is None:
        raise Refusal(404, "template.unknown", f"there is no template {said[:100]!r} in the shop")
    return template


def _uses(house: House) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By template, the steps that send it: (campaign, step). O(steps)."""
    uses: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for campaign in house.processor.plan.campaigns.values():
        for step in campaign.steps:
            if isinstance(step, Send):
                for channel in dict.fromkeys((*step.channels, *step.preferred, *step.others)):
                    uses.setdefault((step.template, channel), []).append((campaign.id, step.id))
    return uses


def _clicks(house: House, uses: list[tuple[str, str]], channel: str) -> _Clicks:
    """Clicks of people on the links of what some steps sent. O(keys of their campaigns)."""
    tallies = of(house).tallying.tallies
    tallies.fold()
    by_mark: Counter[str] = Counter()
    wanted = set(uses)
    for campaign in {name for name, _ in uses}:
        tally = tallies.campaigns.get(campaign)
        for key, count in chosen(tally.total(), LINK) if tally is not None else ():
            if key.channel == channel and (campaign, key.step) in wanted:
                by_mark[key.reason] += int(count)
    return _Clicks(by_mark, by_mark.total())


async def _make(house: House, request: web.Request, template: Template) -> _Made:
    overview = of(house)
    stock = house.dispatcher.stock if house.dispatcher is not None else None
    shop = Shop(
        settings=overview.settings,
        plan=house.processor.plan,
        templates=dict(_templates(house)),
        content=b"",
        shelf=stock.shelf if stock is not None else None,
    )
    now_ms = house.clock.now_ms()
    user_id, locale = request.query.get("user", "").strip(), request.query.get("locale", "").strip()
    if user_id:
        known, event = await _known(house, user_id)
    else:
        known, event = sample(shop, now_ms), None
    if locale:
        known["user"]["locale"] = locale
    context = context_for(shop, template, known, event)
    own = frozenset(str(leads_to) for leads_to in context["links"].values())
    try:
        render = partial(template.render, context, now_at_ms=now_ms, strict=True)
        return _Made(await aside(render), "", own)
    except RenderFailed as error:
        where = f"{error.path}:{error.line}"
        hint = "write | default: … where somebody may lack it"
        return _Made(None, f"{where}: {error.reason}; {hint}", own)


async def _known(house: House, user_id: str) -> tuple[dict[str, Any], tuple[str, Any] | None]:
    user = house.processor.find(user_id)
    if user is None:
        raise unknown_user(user_id)
    # By way of JSON: what is rendered on a thread must not change meanwhile.
    snapshot = snapshot_of(user, house.processor.plan)
    known = msgspec.json.decode(msgspec.json.encode(snapshot))
    ids = (user.user_id, *user.aliases)
    lines = await dossier.timeline(house.store, *ids, limit=_EVENTS)
    lines = msgspec.json.decode(msgspec.json.encode(lines))
    return known, event_of(lines, house.processor.plan)


def _form(template: Template, request: web.Request) -> Html:
    query = request.query
    narrow = query.get("width") == _NARROW
    widths = [
        tag("option", "wide", value=""),
        tag("option", "narrow, as on a phone", value=_NARROW, selected=narrow),
    ]
    form = tag(
        "form",
        _field("user", "A user's id (empty: somebody who never was)", query),
        _field("locale", "Locale (empty: his own)", query),
        tag("div", tag("label", "Width", for_="width"),
            tag("select", widths, id="width", name="width"), class_="field"),
        tag("button", "Show"),
        action=address(template.name, template.channel),
        class_="fields",
    )  # fmt: skip
    return card("For whom", form)


def _field(name: str, label: str, query: Mapping[str, str]) -> Html:
    return tag(
        "div",
        tag("label", label, for_=name),
        tag("input", id=name, name=name, value=query.get(name, ""), autocomplete="off",
            spellcheck="false"),
        class_="field",
    )  # fmt: skip


def _shown(template: Template, made: _Made, clicks: _Clicks, request: web.Request) -> Html:
    rendered = made.rendered
    if rendered is None:
        return card("The message", tag("p", made.why_not, class_="alert", role="alert"))
    told = [[tag("dt", name), tag("dd", value)] for name, value in rendered.front.items()]
    front = tag("dl", told, class_="facts") if told else None
    if not template.html:
        text = tag("pre", rendered.body, tabindex="0", aria_label="The message's text")
        return card("The message", front, text)
    chosen_ = {name: request.query[name] for name in ("user", "locale") if name in request.query}
    source = f"{address(template.name, template.channel)}/body?{urlencode(chosen_)}"
    narrow = request.query.get("width") == _NARROW
    frame = tag("iframe", src=source, title="The message as it is seen", sandbox="",
                class_="message narrow" if narrow else "message")  # fmt: skip
    said = f"{words.count(clicks.total)} clicks so far; each link bears its own."
    if not clicks.total:
        said = "Nobody has clicked so far."
    text = tag("pre", plain_text(rendered.body), tabindex="0", aria_label="As text")
    text = tag("details", tag("summary", "As text"), text)
    return card("The message", front, tag("p", said, class_="soft"), frame, text)


def _links(made: _Made, clicks: _Clicks) -> Html:
    marks = dict(_led(made))
    rows: list[list[Content]] = [
        [tag("span", leads_to, class_="wide"), words.count(clicks.by_mark[mark]),
         words.share(clicks.by_mark[mark], clicks.total)]
        for mark, leads_to in marks.items()
    ]  # fmt: skip
    elsewhere = clicks.total - sum(clicks.by_mark[mark] for mark in marks)
    if elsewhere:
        share = words.share(elsewhere, clicks.total)
        rows.append(["other links, of other people's messages", words.count(elsewhere), share])
    heads = ["Leads to", "Clicks#", "Share#"]
    told = table("Clicks by link", heads, rows, empty="It has no links that are followed.")
    note = "By people, since the start, told apart by address without what follows its ? or #."
    return card("Clicks by link", told, tag("p", note, class_="soft"))


def _led(made: _Made) -> Iterator[tuple[str, str]]:
    """The mark and the address of each link of a message, without its own."""
    found: list[str] = []

    def note(leads_to: str) -> str:
        found.append(leads_to)
        return ""

    assert made.rendered is not None
    beside_links(made.rendered.body, note)
    for leads_to in found:
        if leads_to not in made.own:
            yield link_mark(leads_to), leads_to.partition("#")[0].partition("?")[0]
