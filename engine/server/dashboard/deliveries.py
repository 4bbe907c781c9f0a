"""*Deliveries*: what is under way, what failed for good and what could not be taken, with retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from engine.runtime.admin.quarantine import page as quarantine_page
from engine.runtime.delivery import letters
from engine.server.admin.quarantine import RetryAsked, retry_items
from engine.server.answers import Refusal
from engine.server.dashboard import words
from engine.server.dashboard.frame import Page, card, form, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.people import address
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from engine.server.admin.operating import House

SHOWN = 25
"""Of each, on a page."""

_PLACE_MAX = (1 << 53) - 1
_BODY_MAX = 160


async def show(house: House, request: web.Request, mark: str) -> Page:
    """The page."""
    after = whole_number_asked(request, "after", 0, 0, _PLACE_MAX)
    item_after = whole_number_asked(request, "item", 0, 0, _PLACE_MAX)
    dead = await letters.page(house.store, letters.Chosen(), limit=SHOWN, after=after)
    held = await quarantine_page(house.store, source=None, limit=SHOWN, after=item_after)
    content = tag("div", _under_way(house), _dead(dead, mark), _held(held, mark))
    return Page(title="Deliveries", path="/deliveries", content=content)


async def retry_letters(
    house: House, _request: web.Request, said: Mapping[str, str]
) -> tuple[str, str]:
    """Have one dead letter delivered after all, or all of them."""
    one = said.get("id", "")
    chosen = letters.Chosen(ids=(one,)) if one else letters.Chosen(all=True)
    done = await letters.retry(
        house.store, house.shell, house.processor, chosen, lambda _done, _total: None
    )
    if one and not done.asked:
        raise Refusal(404, "letter.unknown", "this letter is not there any more")
    why = {left.reason for left in done.left}
    stay = done.asked - done.retried
    left = f" {stay} stay: {words.listed(sorted(why), 'and')}." if stay else ""
    return "/deliveries", f"{_counted(done.retried, 'message')} on the way again.{left}"


async def retry_quarantine(
    house: House, _request: web.Request, said: Mapping[str, str]
) -> tuple[str, str]:
    """Take one item after all, or all of them."""
    number = said.get("number", "")
    asked = RetryAsked(all=True)
    if number:
        try:
            asked = msgspec.convert({"numbers": [number]}, RetryAsked, strict=False)
        except msgspec.ValidationError:
            raise Refusal(400, "body.invalid", "this is no item's number") from None
    done = await retry_items(house, asked, lambda _done, _total: None)
    stay = done.asked - done.taken
    why = f": {done.left[0].path}: {done.left[0].reason}" if done.left else ""
    left = f" {_counted(stay, 'item')} as before{why}." if stay else ""
    return "/deliveries", f"{_counted(done.taken, 'item')} taken.{left}"


def _counted(count: int, name: str) -> str:
    return f"{words.count(count)} {name}{'s are' if count != 1 else ' is'}"


def _under_way(house: House) -> Html:
    metrics = house.overview.pulse.looks[-1] if house.overview is not None else None
    rows: list[list[Content]] = []
    if metrics is not None:
        names = sorted(metrics.handed.keys() | metrics.failed.keys())
        rows = [
            [
                name,
                words.count(metrics.handed.get(name, 0)),
                words.count(metrics.failed.get(name, 0)),
            ]
            for name in names
        ]
    under_way = words.count(len(house.dispatcher or ()))
    lead = tag("p", tag("strong", under_way), " messages are held in memory, to be handed over.")
    heads = ["Channel", "Handed over#", "Failed attempts#"]
    return card("Since the start", lead, table("Deliveries by channel", heads, rows))


def _dead(dead: dict[str, Any], mark: str) -> Html:
    rows: list[list[Content]] = [
        [
            words.instant_said(one["failed_at"] or one["at"]),
            tag("a", one["user_id"], href=address(one["user_id"])),
            f"{one['campaign']} · {one['step']}",
            one["channel"],
            tag("span", one["reason"].replace("_", " "), class_="pill bad"),
            tag("span", one["said"] or words.NONE, class_="wide"),
            form("/deliveries/letters", mark,
                 tag("input", type="hidden", name="id", value=one["id"]),
                 tag("button", "Retry", class_="other small",
                     aria_label=f"Retry the message to {one['user_id']}")),
        ]
        for one in dead["deadletters"]
    ]  # fmt: skip
    heads = ["Failed", "User", "Campaign", "Channel", "Why", "What was said", "Retry"]
    told = table("Dead letters", heads, rows, empty="No message has failed for good.")
    all_of_them = form("/deliveries/letters", mark, tag("button", "Retry all", class_="small"))
    more = _further("after", dead["next"])
    title = f"Dead letters ({words.count(dead['total'])})"
    return card(title, told, more, id_="dead-letters", more=all_of_them if rows else None)


def _held(held: dict[str, Any], mark: str) -> Html:
    rows: list[list[Content]] = [
        [
            words.instant_said(one["received_at"]),
            tag("code", one["source"]),
            tag("span", tag("code", one["path"]), f" {one['reason']}", class_="wide"),
            tag("code", _body(one["body"]), class_="wide"),
            form("/deliveries/quarantine", mark,
                 tag("input", type="hidden", name="number", value=one["number"]),
                 tag("button", "Retry", class_="other small",
                     aria_label=f"Retry item {one['number']}")),
        ]
        for one in held["items"]
    ]  # fmt: skip
    heads = ["Received", "By", "What is wrong", "The item", "Retry"]
    told = table("Quarantine", heads, rows, empty="All that came could be taken.")
    all_of_them = form("/deliveries/quarantine", mark, tag("button", "Retry all", class_="small"))
    more = _further("item", held["next"])
    title = f"Quarantine ({words.count(held['total'])})"
    return card(title, told, more, id_="quarantine", more=all_of_them if rows else None)


def _further(name: str, place: int | None) -> Content:
    if place is None:
        return None
    return tag("p", tag("a", "Further on", href=f"/deliveries?{urlencode({name: place})}"))


def _body(body: object) -> str:
    text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
    return text if len(text) <= _BODY_MAX else f"{text[:_BODY_MAX]}…"
