"""`GET /api/templates`: each as it comes out now, and who clicked on which of its links.

Clicks are counted by where links lead (`tallies.link_mark`), of whatever message. Which links those
are, and what they lead to, is known of a message that is made: for somebody known, or for one who
never was.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from channels.links import beside_links
from channels.rendering import Rendered, RenderFailed
from config import Shop
from engine.core.reports.tallies import LINK, chosen, link_mark
from engine.core.steps.kinds import Send
from engine.runtime.admin import dossier
from engine.runtime.admin.previewing import context_for, event_of, sample, snapshot_of
from engine.runtime.aside import aside
from engine.server.admin.users import unknown_user
from engine.server.answers import Refusal, answer_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from channels.rendering import Template
    from engine.runtime.admin.overview import Overview
    from engine.server.admin.operating import House

    Uses = Mapping[tuple[str, str], list[tuple[str, str]]]
    """By template and channel, the steps that send it: (campaign, step)."""

_EVENTS: Final = 1_000
_URL_IN_FRONT: Final = frozenset({"push", "in_app"})
"""Channels of which a click leads to the `url` of the front matter."""


class Clicks(msgspec.Struct, frozen=True):
    """By the mark of where they lead, clicks on a template's links; and all of them."""

    by_mark: Counter[str]
    total: int


class Made(msgspec.Struct, frozen=True):
    """A template as it came out, or why it did not; and the links put in that are no one's."""

    rendered: Rendered | None
    why_not: str
    own: frozenset[str]


def template_handlers(
    enter: Callable[[web.Request], House],
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def listed(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        uses = uses_of(house)
        told = [_told(house, one, uses) for _, one in sorted(templates_of(house).items())]
        return answer_json({"templates": told})

    async def show(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        template = find(house, request.match_info["id"])
        user_id = request.query.get("user", "").strip()
        made = await make(house, template, user_id, request.query.get("locale", "").strip())
        if made.rendered is None:
            raise Refusal(422, "preview.failed", made.why_not)
        uses = uses_of(house)
        clicks = clicks_on(house, uses, template)
        leads_to = links_of(made, template)
        counts = [clicks.by_mark[link_mark(one)] for one in leads_to]
        links = [{"leads_to": one, "clicks": n} for one, n in zip(leads_to, counts, strict=True)]
        return answer_json(
            {
                **_told(house, template, uses),
                "front": made.rendered.front,
                "body": made.rendered.body,
                "links": links,
                "elsewhere": clicks.total - sum(counts),
            }
        )

    return {"/api/templates": {"GET": listed}, "/api/templates/{id}": {"GET": show}}


def templates_of(house: House) -> Mapping[tuple[str, str], Template]:
    """By name and channel."""
    return house.dispatcher.composer.templates if house.dispatcher is not None else {}


def find(house: House, said: str) -> Template:
    """The template that is called `NAME.CHANNEL`. Raises Refusal."""
    name, _, channel = said.rpartition(".")
    template = templates_of(house).get((name, channel))
    if template is None:
        raise Refusal(404, "template.unknown", f"there is no template {said[:100]!r} in the shop")
    return template


def uses_of(house: House) -> Uses:
    """Of all templates. O(steps)."""
    uses: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for campaign in house.processor.plan.campaigns.values():
        for step in campaign.steps:
            if isinstance(step, Send):
                for channel in dict.fromkeys((*step.channels, *step.preferred, *step.others)):
                    uses.setdefault((step.template, channel), []).append((campaign.id, step.id))
    return uses


def clicks_on(house: House, uses: Uses, template: Template) -> Clicks:
    """Clicks of people on the links of what was sent of it. O(keys of the campaigns that do)."""
    tallies = _overview(house).tallying.tallies
    tallies.fold()
    by_mark: Counter[str] = Counter()
    wanted = set(uses.get((template.name, template.channel), ()))
    for campaign in {name for name, _ in wanted}:
        tally = tallies.campaigns.get(campaign)
        for key, count in chosen(tally.total(), LINK) if tally is not None else ():
            if key.channel == template.channel and (campaign, key.step) in wanted:
                by_mark[key.reason] += int(count)
    return Clicks(by_mark, by_mark.total())


async def make(house: House, template: Template, user_id: str, locale: str) -> Made:
    """Render it: for a user, "" for somebody who never was; in a locale, "" for his own.

    Raises Refusal where there is no such user.
    """
    overview = _overview(house)
    stock = house.dispatcher.composer.stock if house.dispatcher is not None else None
    shop = Shop(
        settings=overview.settings,
        plan=house.processor.plan,
        templates=dict(templates_of(house)),
        content=b"",
        shelf=stock.shelf if stock is not None else None,
    )
    now_ms = house.clock.now_ms()
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
        return Made(await aside(render), "", own)
    except RenderFailed as error:
        where = f"{error.path}:{error.line}"
        told = "; ".join(filter(None, (error.reason, error.hint)))
        return Made(None, f"{where}: {told}", own)


def links_of(made: Made, template: Template) -> list[str]:
    """Where a message's links lead, each once and without what is one person's. O(size)."""
    assert made.rendered is not None
    found: list[str] = []

    def note(leads_to: str) -> str:
        found.append(leads_to)
        return ""

    if template.html:
        beside_links(made.rendered.body, note)
    if template.channel in _URL_IN_FRONT:
        found += [url for url in [made.rendered.front.get("url", "")] if url]
    followed = [one for one in found if one not in made.own]
    return [*dict.fromkeys(one.partition("#")[0].partition("?")[0] for one in followed)]


def _told(house: House, template: Template, uses: Uses) -> dict[str, Any]:
    sent_by = uses.get((template.name, template.channel), ())
    return {
        "template": template.name,
        "channel": template.channel,
        "file": template.path,
        "locales": sorted({one.locale for one in template.each() if one.locale}),
        "sent_by": [{"campaign": campaign, "step": step} for campaign, step in sent_by],
        "clicks": clicks_on(house, uses, template).total,
    }


def _overview(house: House) -> Overview:
    assert house.overview is not None, "whoever serves has one"
    return house.overview


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
