"""What is around each page: its head, the way to all others, and the headers that keep it safe."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

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
            tag("p", page.said, class_="said", role="status") if page.said else None,
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


def table(label: str, heads: list[str], rows: list[list[Content]], *, empty: str = "") -> Html:
    """A table that scrolls by itself where it is too wide; heads that end with `#` are numbers."""
    if not rows:
        return tag("p", empty or "Nothing yet.", class_="empty")
    numbers = [head.endswith("#") for head in heads]
    head = tag(
        "tr",
        [
            tag("th", one.removesuffix("#"), scope="col", class_="number" if number else None)
            for one, number in zip(heads, numbers, strict=True)
        ],
    )
    body = [
        tag("tr", [
            tag("td", cell, class_="number" if number else None)
            for cell, number in zip(row, numbers, strict=True)
        ])
        for row in rows
    ]  # fmt: skip
    return tag(
        "div",
        tag(
            "table", tag("caption", label, class_="hidden"), tag("thead", head), tag("tbody", body)
        ),
        class_="scroll",
        role="group",
        aria_label=label,
        tabindex="0",
    )


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
