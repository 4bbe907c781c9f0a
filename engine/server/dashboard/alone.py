"""Pages that stand alone: they ask for the key, lead on, or say what is not there."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.server.dashboard import frame, words
from engine.server.dashboard.markup import Content, tag

if TYPE_CHECKING:
    from aiohttp import web

    from engine.server.answers import Refusal


def key_page(to: str, wrong: str = "", status: int = 200) -> web.Response:
    """Asks for the admin key, to go on to `to` with; `wrong` is why the last one did not do."""
    told = tag("p", wrong, class_="alert", role="alert", id="wrong") if wrong else None
    where = (
        "It was printed at the first start, and is kept in ", tag("code", "admin.key"),
        " in the data folder, unless ", tag("code", "keys.admin"), " sets one.",
    )  # fmt: skip
    field = tag(
        "div",
        tag("label", "Admin key", for_="key"),
        tag("input", id="key", name="key", type="password", autocomplete="current-password",
            required=True, autofocus=True, aria_invalid="true" if wrong else None,
            aria_describedby="wrong where" if wrong else "where"),
        class_="field",
    )  # fmt: skip
    form = tag(
        "form",
        tag("input", type="hidden", name="to", value=to),
        field,
        tag("p", tag("button", "Sign in")),
        method="post",
        action="/sign-in",
    )
    return _alone("Sign in", [told, tag("p", where, class_="soft", id="where"), form], status)


def leads_on(to: str) -> web.Response:
    """Goes on to a place of ours as a step of our own, which a redirect is not.

    A browser that follows another site's link sends no strict cookie, nor does it where that link
    is redirected: whoever is signed in, or has just been let in, would be asked for the key.
    """
    link = tag("a", "Go on", href=to, class_="act")
    content = tag("p", "You come from another page. ", link)
    return _alone("One moment", content, on_to=to)


def refused(refusal: Refusal) -> web.Response:
    """What a request was refused for, to somebody who looks at it in a browser."""
    missing = refusal.status == HTTPStatus.NOT_FOUND
    title = "There is no such page" if missing else "That did not work"
    said = (
        "The address may be mistyped, or of another version."
        if missing
        else words.sentence(refusal.message)
    )
    back = tag("a", "To the dashboard", href="/", class_="act")
    told = tag("p", said, class_=None if missing else "alert", role=None if missing else "alert")
    page = _alone(title, [told, tag("p", back)], refusal.status)
    page.headers.update(refusal.headers or {})
    return page


def _alone(title: str, content: Content, status: int = 200, on_to: str = "") -> web.Response:
    main = tag(
        "main",
        tag("p", frame.logo(), tag("span", "Hairspring"), class_="brand"),
        tag("div", tag("h1", title), content, class_="card"),
        class_="alone",
    )
    return frame.document(f"{title} · Hairspring", main, status, on_to)
