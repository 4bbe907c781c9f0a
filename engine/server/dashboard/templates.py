"""*Templates*: each as it comes out now, with the clicks that its links got drawn beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from aiohttp import web

from channels.links import beside_links
from channels.templates.plaintext import plain_text
from engine.core.reports.tallies import link_mark
from engine.server.admin.templates import (
    clicks_on,
    find,
    links_of,
    make,
    templates_of,
    uses_of,
)
from engine.server.answers import Refusal
from engine.server.dashboard import words
from engine.server.dashboard.flow import campaign_address
from engine.server.dashboard.frame import Page, card, table
from engine.server.dashboard.markup import Content, Html, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from channels.rendering import Template
    from engine.server.admin.operating import House
    from engine.server.admin.templates import Clicks, Made

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

_NARROW: Final = "narrow"


async def show_all(house: House, _request: web.Request, _mark: str) -> Page:
    """The list."""
    uses = uses_of(house)
    rows: list[list[Content]] = [
        [
            tag("a", f"{name}.{channel}", href=address(name, channel)),
            channel,
            tag("code", one.path, class_="wide"),
            ", ".join(sorted(each.locale for each in one.each() if each.locale)) or words.NONE,
            [tag("span", tag("a", campaign, href=campaign_address(campaign)), f" · {step}",
                 class_="line-by-line")
             for campaign, step in uses.get((name, channel), ())] or words.NONE,
            words.count(clicks_on(house, uses, one).total),
        ]
        for (name, channel), one in sorted(templates_of(house).items())
    ]  # fmt: skip
    heads = ["Template", "Channel", "File", "Locales", "Sent by", "Clicks#"]
    told = card("All templates", table("Templates", heads, rows, empty="The shop has none."))
    return Page(title="Templates", path="/templates", content=told)


async def show(house: House, request: web.Request, _mark: str) -> Page:
    """One template, for somebody known or somebody who never was."""
    template = find(house, request.match_info["id"])
    made = await _make(house, request, template)
    clicks = clicks_on(house, uses_of(house), template)
    content = [_form(template, request), _shown(template, made, clicks, request)]
    if made.rendered is not None:
        content.append(_links(made, template, clicks))
    return Page(
        title=f"{template.name}.{template.channel}",
        path="/templates",
        lead="As it comes out now. Nothing is sent, and no coupon is given out.",
        content=tag("div", content),
    )


async def body(house: House, request: web.Request, _mark: str) -> web.StreamResponse:
    """The message's own HTML, for the frame that it is shown in."""
    template = find(house, request.match_info["id"])
    made = await _make(house, request, template)
    if made.rendered is None:
        raise Refusal(422, "preview.failed", made.why_not)
    clicks = clicks_on(house, uses_of(house), template)

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


async def _make(house: House, request: web.Request, template: Template) -> Made:
    query = request.query
    return await make(
        house, template, query.get("user", "").strip(), query.get("locale", "").strip()
    )


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


def _shown(template: Template, made: Made, clicks: Clicks, request: web.Request) -> Html:
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
    kinds = ["message", "narrow" if narrow else "", "small" if template.channel != "email" else ""]
    frame = tag("iframe", src=source, title="The message as it is seen", sandbox="",
                class_=" ".join(filter(None, kinds)))  # fmt: skip
    said = f"{words.count(clicks.total)} clicks so far; each link bears its own."
    if not clicks.total:
        said = "Nobody has clicked so far."
    text = tag("pre", plain_text(rendered.body), tabindex="0", aria_label="As text")
    text = tag("details", tag("summary", "As text"), text)
    return card("The message", front, tag("p", said, class_="soft"), frame, text)


def _links(made: Made, template: Template, clicks: Clicks) -> Html:
    marks = {link_mark(leads_to): leads_to for leads_to in links_of(made, template)}
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
