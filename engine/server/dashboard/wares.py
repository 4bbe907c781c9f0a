"""*Catalog*: the products that templates find, and the codes that are left to give out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from engine.runtime.aside import aside
from engine.server.dashboard import words
from engine.server.dashboard.frame import Page, card, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.queries import whole_number_asked

if TYPE_CHECKING:
    from aiohttp import web

    from channels.templates.shelf import Shelf
    from engine.runtime.catalog.stock import Stock
    from engine.server.admin.operating import House

SHOWN: Final = 50

_PLACE_MAX = 1 << 30


async def show(house: House, request: web.Request, _mark: str) -> Page:
    """The page."""
    stock = house.dispatcher.composer.stock if house.dispatcher is not None else None
    shelf = stock.shelf if stock is not None else None
    said = request.query.get("q", "").strip()[:200]
    start = whole_number_asked(request, "from", 0, 0, _PLACE_MAX)
    if stock is None or shelf is None:
        empty = tag("p", "The shop has no catalog. ", tag("code", "[catalog]"),
                    " in hairspring.toml names one.", class_="empty")  # fmt: skip
        content = tag("div", card("Products", empty), _coupons(stock))
        return Page(title="Catalog", path="/catalog", content=content)
    # On a thread: to look through a hundred thousand takes longer than a deadline may.
    found, following = await aside(partial(shelf.catalog.find, said, start, SHOWN))
    more: Content = None
    if following is not None:
        query = urlencode({"q": said, "from": following})
        more = tag("p", tag("a", "Further on", href=f"/catalog?{query}"))
    products = card("Products" if not said else f"Products with “{said}”",
                    _products(found, shelf), more)  # fmt: skip
    content = tag("div", _state(stock, shelf), _form(said), products, _coupons(stock))
    lead = "What templates know as catalog, and what they recommend from."
    return Page(title="Catalog", path="/catalog", lead=lead, content=content)


def _state(stock: Stock, shelf: Shelf) -> Html:
    together = stock.recommending.together if stock.recommending is not None else None
    facts: list[tuple[str, Content]] = [
        ("Products", words.count(len(shelf))),
        ("Sold out", words.count(len(shelf.catalog.sold_out))),
        ("Could not be read", f"{words.count(stock.failures)} times since the start"),
    ]
    if together is not None:
        facts.append(("Recommended by", "what was bought together, then the shop's own order"))
    told = [[tag("dt", name), tag("dd", value)] for name, value in facts]
    return card("Now", tag("dl", told, class_="facts"))


def _form(said: str) -> Html:
    field = tag(
        "div",
        tag("label", "Look for", for_="q"),
        tag("input", id="q", name="q", value=said, type="search", autocomplete="off",
            placeholder="mug, p-100"),
        class_="field",
    )  # fmt: skip
    form = tag("form", field, tag("button", "Search"), class_="fields", action="/catalog",
               role="search")  # fmt: skip
    return card("Search", form)


def _products(found: list[dict[str, Any]], shelf: Shelf) -> Html:
    sold_out = shelf.catalog.sold_out
    rows: list[list[Content]] = [
        [
            tag("code", one["id"], class_="unbroken"),
            _title(one),
            _price(one),
            tag("span", "sold out", class_="pill bad")
            if str(one["id"]) in sold_out
            else _said(one.get("stock")),
            _said(one.get("rating")),
        ]
        for one in found
    ]
    heads = ["Id", "Title", "Price#", "Stock#", "Rating#"]
    return table("Products", heads, rows, empty="None.")


def _title(product: dict[str, Any]) -> Content:
    title = _said(product.get("title"))
    url = product.get("url")
    safe = isinstance(url, str) and url.startswith(("https://", "http://"))
    return tag("a", title, href=url, rel="noreferrer", class_="wide") if safe else title


def _price(product: dict[str, Any]) -> str:
    price = product.get("price")
    if not isinstance(price, int | float):
        return _said(price)
    return f"{price:,.2f} {product.get('currency') or ''}".rstrip()


def _said(value: object) -> str:
    return words.NONE if value is None or value == "" else str(value)


def _coupons(stock: Stock | None) -> Html | None:
    if stock is None or not stock.left:
        return None
    rows: list[list[Content]] = [
        [tag("strong", pool), words.count(left)] for pool, left in sorted(stock.left.items())
    ]
    return card("Coupons", table("Coupons", ["Pool", "Codes left#"], rows))
