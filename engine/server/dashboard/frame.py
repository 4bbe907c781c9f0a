"""What is around each page: its head, the way to all others, and the headers that keep it safe."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from aiohttp import web

from engine.server.dashboard import words
from engine.server.dashboard.markup import Content, Html, tag

_ASSETS: Final = Path(__file__).parent / "assets"

FILES: Final = {
    name: (content_type, (_ASSETS / name).read_bytes())
    for name, content_type in {
        "dashboard.css": "text/css; charset=utf-8",
        "dashboard.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }.items()
}
"""What pages load, all of it from here."""

_VERSION: Final = hashlib.sha256(b"".join(body for _, body in FILES.values())).hexdigest()[:12]

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # with none at all, a form's origin would be told as null
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}

PAGES: Final = {
    "/": "Now",
    "/campaigns": "Campaigns",
    "/experiments": "Experiments",
    "/users": "Users",
    "/segments": "Segments",
    "/deadlines": "Deadlines",
    "/deliveries": "Deliveries",
    "/funnel": "Funnel",
    "/discover": "Discover",
    "/templates": "Templates",
    "/catalog": "Catalog",
}
"""By path, in the order in which they are offered."""


_BLOCKS_FROM: Final = 5
"""Columns: so many do not fit on a phone."""


class _Roles(NamedTuple):
    """What the parts of a table are, where their layout does not tell."""

    table: str | None = None
    group: str | None = None
    row: str | None = None
    head: str | None = None
    cell: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one page shows.

    Attributes:
        title: Its heading.
        path: Which of `PAGES` it belongs to.
        content: All below the heading.
        lead: A sentence below the heading.
        said: What was done just now.
        beside: What stands at the heading's other end.
        status: HTTP status.
    """

    title: str
    path: str
    content: Html
    lead: Content = None
    said: str = ""
    beside: Content = None
    status: int = 200


def answer(page: Page, shop: str, mark: str) -> web.Response:
    """The whole page; `mark` is what its forms bear."""
    body = [
        tag("a", "Skip to the content", class_="skip", href="#content"),
        _side(shop, page.path, mark),
        tag(
            "main",
            tag("header", tag("h1", page.title), tag("div", page.beside, class_="beside"),
                class_="title"),
            tag("p", page.lead, class_="lead") if page.lead else None,
            tag("p", page.said, class_="said", role="status", tabindex=-1, autofocus=True)
            if page.said
            else None,
            page.content,
            id="content",
            tabindex="-1",
        ),
    ]  # fmt: skip
    head = f"{page.said} " if page.said else ""
    return document(f"{head}{page.title} · {shop}", body, page.status)


def document(title: str, body: Content, status: int = 200, on_to: str = "") -> web.Response:
    """A page from its first byte to its last; `on_to` is where it leads on to by itself."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="refresh", content=f"0;url={on_to}") if on_to else None,
        tag("title", title),
        tag("link", rel="icon", href=_address("icon.svg"), type="image/svg+xml"),
        tag("link", rel="stylesheet", href=_address("dashboard.css")),
        tag("script", src=_address("dashboard.js"), defer=True),
    )
    text = "<!doctype html>" + tag("html", head, tag("body", body), lang="en")
    return web.Response(text=text, status=status, headers=HEADERS)


def form(action: str, mark: str, *content: Content, class_: str = "") -> Html:
    """A form that changes something."""
    hidden = tag("input", type="hidden", name="mark", value=mark)
    return tag("form", hidden, content, method="post", action=action, class_=class_ or None)


def wrong(said: str) -> Html:
    """What a form, or a request, was refused for: it is read out, and begun from by keyboard."""
    return tag("p", words.sentence(said), class_="alert", role="alert", id="wrong", tabindex=-1,
               autofocus=True)  # fmt: skip


def look_again() -> Html:
    """A way to look once more, for who has no script that does so by itself."""
    return tag("noscript", tag("p", tag("a", "Look again", href="")))


def card(
    title: str, *content: Content, class_: str = "", id_: str = "", more: Content = None
) -> Html:
    """A part of a page, under a heading of its own."""
    name = id_ or "part-" + "".join(c if c.isalnum() else "-" for c in title.lower())
    heading = tag("div", tag("h2", title, id=name), more, class_="heading")
    return tag("section", heading, content, class_=f"card {class_}".strip(), aria_labelledby=name)


def table(
    label: str,
    heads: list[str],
    rows: list[list[Content]],
    *,
    empty: str = "",
    blocks: bool | None = None,
) -> Html:
    """A table that scrolls by itself where it is too wide; heads that end with `#` are numbers.

    In `blocks`, as those of five columns and more are unless said otherwise, each row stands by
    itself on a phone, each cell under its head.
    """
    if not rows:
        return tag("p", empty or "Nothing yet.", class_="empty")
    if blocks is None:
        blocks = len(heads) >= _BLOCKS_FROM
    # Laid out as blocks, it would be a table to nobody who has it read out, were it not said.
    said = _Roles("table", "rowgroup", "row", "columnheader", "cell") if blocks else _Roles()
    shown = [(one.removesuffix("#"), "number" if one.endswith("#") else None) for one in heads]
    head = tag("tr", [
        tag("th", name, scope="col", class_=kind, role=said.head) for name, kind in shown
    ], role=said.row)  # fmt: skip
    body = [
        tag("tr", [
            tag("td", cell, class_=kind, role=said.cell, data_head=name if blocks else None)
            for cell, (name, kind) in zip(row, shown, strict=True)
        ], role=said.row)
        for row in rows
    ]  # fmt: skip
    return tag(
        "div",
        tag(
            "table",
            tag("caption", label, class_="hidden"),
            tag("thead", head, role=said.group),
            tag("tbody", body, role=said.group),
            role=said.table,
        ),
        class_="scroll blocks" if blocks else "scroll",
        role="group",
        aria_label=label,
        tabindex="0",
    )


def pair(told: str) -> Html:
    """A cell that takes the room of two, where rows stand by themselves."""
    return tag("span", told, class_="pair")


def _side(shop: str, path: str, mark: str) -> Html:
    links = [
        tag("li", tag("a", name, href=where, aria_current="page" if where == path else None))
        for where, name in PAGES.items()
    ]
    leave = form("/sign-out", mark, tag("button", "Sign out", class_="quiet"))
    brand = tag("a", logo(), tag("span", shop), href="/", class_="brand")
    pages = tag("nav", tag("ul", links), aria_label="Pages")
    return tag("header", brand, pages, leave, class_="side")


def logo() -> Html:
    """The mark of the house: a hairspring."""
    return tag("img", src=_address("icon.svg"), alt="", width=28, height=28)


def _address(name: str) -> str:
    return f"/assets/{_VERSION}/{name}"


async def asset(request: web.Request) -> web.Response:
    """A file that pages load; its address changes with its content."""
    found = FILES.get(request.match_info["id"])
    if found is None:
        raise web.HTTPNotFound
    content_type, body = found
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "public, max-age=31536000, immutable",
    }
    return web.Response(body=body, headers=headers)
