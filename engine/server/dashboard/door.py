"""The dashboard's routes: whoever is signed in is shown pages, and has things done by their forms.

A page is a function of the house and the request. What it may not show it refuses as every route
does; here that becomes a page too. A form's answer sends the browser on to a page, so that loading
that again does nothing twice; what was done is said there, signed, so that nobody else's link can
have a page say anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from engine.errors import HairspringError
from engine.runtime.aside import giving_way
from engine.runtime.clock import monotonic_ns, wall_ms
from engine.runtime.inbox import Unavailable
from engine.server.admin.operating import House
from engine.server.answers import Refusal, in_one_line
from engine.server.clients import origin_asked
from engine.server.dashboard import (
    ahead,
    campaigns,
    deliveries,
    frame,
    now,
    past,
    people,
    person,
    templates,
    trying,
    wares,
    words,
)
from engine.server.dashboard.alone import key_page, leads_on
from engine.server.dashboard.frame import Page
from engine.server.dashboard.markup import tag
from engine.server.dashboard.session import LASTS_S, Sessions, cookie_name
from engine.server.forms import read_fields
from engine.server.rates import GUESSES_BURST, GUESSES_PER_S, BadKeys

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

View: TypeAlias = Callable[[House, web.Request, str], Awaitable[Page | web.StreamResponse]]
"""Of (house, request, mark): a page, or an answer of another kind."""

Act: TypeAlias = Callable[
    [House, web.Request, Mapping[str, str]], Awaitable[tuple[str, str] | Page]
]
"""Of (house, request, what the form says): where to go on, and what was done; or a page."""

VIEWS: Final[dict[str, View]] = {
    "/": now.show,
    "/now/stream": now.stream,
    "/campaigns": campaigns.show_all,
    "/campaigns/{id}": campaigns.show,
    "/campaigns/{id}/file": trying.show,
    "/experiments": campaigns.experiments,
    "/users": people.show,
    "/users/{id}": person.show,
    "/users/{id}/export": person.export,
    "/users/{id}/erase": person.ask_to_erase,
    "/segments": ahead.segments,
    "/deadlines": ahead.deadlines,
    "/deliveries": deliveries.show,
    "/funnel": past.funnel,
    "/discover": past.discover,
    "/templates": templates.show_all,
    "/templates/{id}": templates.show,
    "/templates/{id}/body": templates.body,
    "/catalog": wares.show,
}

ACTS: Final[dict[str, Act]] = {
    "/users/{id}/enrollments/{enrollment}/forward": person.forward,
    "/users/{id}/enrollments/{enrollment}/cancel": person.cancel,
    "/campaigns/{id}/file": trying.backtest,
    "/users/{id}/erase": person.erase,
    "/deliveries/letters": deliveries.retry_letters,
    "/deliveries/quarantine": deliveries.retry_quarantine,
}


_HERE: Final = "here"
"""Said of the sign-in page as a page of ours asks for it: it asks no further."""


class Door(msgspec.Struct, frozen=True, eq=False):
    """What the routes stand on.

    Attributes:
        sessions: Knows who is signed in.
        house: None while the process starts.
        guesses: Counts wrong keys by address.
    """

    sessions: Sessions
    house: Callable[[], House | None]
    guesses: BadKeys


def dashboard_handlers(
    key: str,
    instance: str,
    house: Callable[[], House | None],
    monotonic_ns: Callable[[], int] = monotonic_ns,
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `key` is the admin key."""
    guesses = BadKeys(monotonic_ns, per_s=GUESSES_PER_S, burst=GUESSES_BURST)
    door = Door(Sessions(key, instance), house, guesses)
    routes: dict[str, dict[str, Handler]] = {
        "/assets/{version}/{id}": {"GET": frame.asset},
        "/sign-in": {"GET": _ask_for_key(door), "POST": _sign_in(door)},
        "/sign-out": {"POST": _sign_out(door)},
    }
    for path, view in VIEWS.items():
        routes.setdefault(path, {})["GET"] = _shown(door, view)
    for path, act in ACTS.items():
        routes.setdefault(path, {})["POST"] = _done(door, act)
    return routes


def _shown(door: Door, view: View) -> Handler:
    async def show(request: web.Request) -> web.StreamResponse:
        cookie = _session(door, request)
        if not cookie:
            if request.path == "/now/stream" or request.method not in {"GET", "HEAD"}:
                raise Refusal(401, "session.none", "sign in at /sign-in")
            return _lead_on("/sign-in?" + urlencode({"to": request.path_qs}))
        house, mark = door.house(), door.sessions.mark(cookie)
        if house is None:
            return _starting(mark)
        shop = house.overview.shop if house.overview is not None else "Hairspring"
        try:
            page = await _look(view, house, request, mark)
        except Refusal as refusal:
            page = _refused(refusal, request)
        except Unavailable as error:
            page = _refused(Refusal(503, error.code, in_one_line(error)), request)
        if not isinstance(page, Page):
            return page
        await asyncio.sleep(0)  # what stands around it is written in a turn of its own
        said = _said(door, request)
        return frame.answer(msgspec.structs.replace(page, said=said) if said else page, shop, mark)

    return show


async def _look(
    view: View, house: House, request: web.Request, mark: str
) -> Page | web.StreamResponse:
    """What a view shows; what is read for it on a thread gives way to deadlines meanwhile."""
    if view is now.stream:
        return await view(house, request, mark)  # for as long as somebody looks
    with giving_way():
        return await view(house, request, mark)


def _done(door: Door, act: Act) -> Handler:
    async def do(request: web.Request) -> web.StreamResponse:
        cookie = _session(door, request)
        if not cookie:
            message = "you are signed out, and nothing was done; sign in at /sign-in"
            raise Refusal(401, "session.none", message)
        house, mark = door.house(), door.sessions.mark(cookie)
        if house is None:
            return _starting(mark)
        shop = house.overview.shop if house.overview is not None else "Hairspring"
        try:
            said = dict(await read_fields(request))
            door.sessions.check_mark(request, cookie, said.get("mark", ""))
            found = await act(house, request, said)
            if isinstance(found, Page):
                return frame.answer(found, shop, mark)
            where, done = found
        except Refusal as refusal:
            return frame.answer(_refused(refusal, request), shop, mark)
        except HairspringError as error:
            failed = Refusal(503, error.code, in_one_line(error))
            return frame.answer(_refused(failed, request), shop, mark)
        if not done:
            return _lead_on(where)
        query = urlencode({"said": done, "by": door.sessions.seal(cookie, done)})
        return _lead_on(f"{where}{'&' if '?' in where else '?'}{query}")

    return do


def _sign_in(door: Door) -> Handler:
    async def sign_in(request: web.Request) -> web.StreamResponse:
        said = dict(await read_fields(request))
        return _guessed(door, request, said.get("key", "").strip(), said.get("to", ""))

    return sign_in


def _ask_for_key(door: Door) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        way_in, to = request.query.get("way-in"), request.query.get("to", "")
        if way_in is not None:
            return _guessed(door, request, way_in, "/")
        if _session(door, request):
            return _lead_on(_own(to))
        if _HERE not in request.query and _is_from_elsewhere(request):
            # Asked once more from a page of ours, the browser sends its session if it has one.
            return leads_on("/sign-in?" + urlencode({"to": to, _HERE: 1}))
        return key_page(to)

    return ask


def _guessed(door: Door, request: web.Request, key: str, to: str) -> web.StreamResponse:
    """Let in whoever knows the key, unless his address has just said too many wrong ones."""
    try:
        door.guesses.bar(request)
        if door.sessions.admits(key):
            return _let_in(door, request, to)
        door.guesses.note(request)
    except Refusal as refusal:
        page = key_page(to, words.sentence(refusal.message), refusal.status)
        page.headers.update(refusal.headers or {})
        return page
    return key_page(to, "That is not the admin key.", 401)


def _sign_out(door: Door) -> Handler:
    async def sign_out(request: web.Request) -> web.StreamResponse:
        cookie = _session(door, request)
        if cookie:
            said = dict(await read_fields(request))
            door.sessions.check_mark(request, cookie, said.get("mark", ""))
        answer = _lead_on("/sign-in")
        answer.del_cookie(cookie_name(request), path="/", httponly=True, samesite="Strict")
        return answer

    return sign_out


def _let_in(door: Door, request: web.Request, to: str) -> web.StreamResponse:
    own = _own(to)
    answer = leads_on(own) if _is_from_elsewhere(request) else _lead_on(own)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.set_cookie(
        cookie_name(request),
        door.sessions.begin(wall_ms() // 1_000),
        max_age=LASTS_S,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=origin_asked(request).startswith("https:"),
    )
    return answer


def _own(to: str) -> str:
    r"""A place of our own alone: `//host` and `/\host` are another host to a browser."""
    own = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if own else "/"


def _is_from_elsewhere(request: web.Request) -> bool:
    """Whether a link of another site led here, so that the browser kept the session's cookie."""
    said = request.headers.get("Sec-Fetch-Site")
    if said is not None:
        return said == "cross-site"
    # Browsers tell it to https and to this machine alone; elsewhere there is what they come from.
    came_from = request.headers.get("Referer")
    return came_from is not None and not came_from.startswith(origin_asked(request) + "/")


def _lead_on(to: str) -> web.Response:
    return web.Response(status=303, headers={"Location": to, "Cache-Control": "no-store"})


def _session(door: Door, request: web.Request) -> str:
    """The cookie of a good session, else ""."""
    cookie = request.cookies.get(cookie_name(request), "")
    return cookie if door.sessions.is_good(cookie, wall_ms() // 1_000) else ""


def _said(door: Door, request: web.Request) -> str:
    said = request.query.get("said", "")
    cookie = request.cookies.get(cookie_name(request), "")
    return (
        said if said and door.sessions.is_sealed(cookie, said, request.query.get("by", "")) else ""
    )


def _refused(refusal: Refusal, request: web.Request) -> Page:
    """Among the pages that it was asked of, which are the way on from it."""
    path = "/" + request.path.split("/")[1]
    name = frame.PAGES.get(path)
    back = tag("p", tag("a", f"To {name}", href=path, class_="act other")) if name else None
    content = tag("div", frame.wrong(refusal.message), back)
    return Page(title="That did not work", path=path, content=content, status=refusal.status)


def _starting(mark: str) -> web.Response:
    content = tag("p", "The process is starting or stopping. Load this page again in a moment.")
    page = Page(title="One moment", path="", content=content, status=503)
    answer = frame.answer(page, "Hairspring", mark)
    answer.headers["Retry-After"] = "1"
    return answer
