"""*Users*: finds somebody by id, address, name or trait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from engine.runtime.admin.searching import search
from engine.server.dashboard import words
from engine.server.dashboard.frame import Page, card, pair, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from aiohttp import web

    from engine.core.state import User
    from engine.runtime.admin.searching import Search
    from engine.server.admin.operating import House

ROWS_AT_ONCE: Final = 10
"""Users whose rows are written between two turns of the loop: some half a millisecond."""

_PLACE_MAX = (1 << 53) - 1


async def show(house: House, request: web.Request, _mark: str) -> Page:
    """The page: whom a search finds, and without one the first that there are."""
    said = request.query.get("q", "")[:200]
    start = whole_number_asked(request, "from", 0, 0, _PLACE_MAX)
    found = await search(house.processor, house.clock, said, start)
    title = f"Found for “{said}”" if said else "The first there are"
    content = tag("div", _form(said), card(title, await _found(house, said, found)))
    total = len(house.processor.users)
    lead = f"{words.count(total)} user{'s are' if total != 1 else ' is'} known."
    return Page(title="Users", path="/users", lead=lead, content=content)


def address(user_id: str) -> str:
    """Of a user's own page."""
    return f"/users/{quote(user_id, safe='')}"


def _form(said: str) -> Html:
    field = tag(
        "div",
        tag("label", "Look for", for_="q"),
        tag("input", id="q", name="q", value=said, type="search", autocomplete="off",
            spellcheck="false", placeholder="ada, ada@example.com, city=Paris",
            aria_describedby="how"),
        class_="field",
    )  # fmt: skip
    button = tag("button", "Search")
    how = tag(
        "p",
        tag("code", "trait=text"),
        " looks in any other trait; the beginning is enough.",
        id="how",
        class_="soft",
    )
    form = tag("form", field, button, class_="fields", action="/users", role="search")
    return tag("div", form, how, class_="card")


async def _found(house: House, said: str, found: Search) -> Html:
    rows: list[list[Content]] = []
    for place, user_id in enumerate(found.users, start=1):
        user = house.processor.users.get(user_id)
        if user is not None:
            rows.append(_row(user))
        if not place % ROWS_AT_ONCE:
            await asyncio.sleep(0)
    heads = ["Id", "Email", "Name", "Last seen", "In campaigns#", "Next deadline"]
    known = house.processor.users
    empty = "Nobody among those that were looked at." if known else "Nobody has come yet."
    told = [table("Users", heads, rows, empty=empty)]
    if found.next is not None:
        more = urlencode({"q": said, "from": found.next})
        looked = f"{words.count(found.looked_at)} of {words.count(found.total)} were looked at. "
        told.append(tag("p", looked, tag("a", "Look further", href=f"/users?{more}")))
    return tag("div", told)


def _row(user: User) -> list[Content]:
    traits = user.traits
    names = [traits.get("name"), traits.get("first_name")]
    return [
        tag("a", user.user_id, href=address(user.user_id)),
        pair(_text(traits.get("email"))),
        next((_text(name) for name in names if name), words.NONE),
        words.instant(user.last_seen_at_ms) if user.last_seen_at_ms else words.NONE,
        words.count(len(user.enrollments)),
        words.due(user.due_at_ms),
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else words.NONE
