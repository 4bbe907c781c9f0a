"""*Now*: what comes in and goes out, how late, and whether it is safe on disk; anew each second."""

from __future__ import annotations

import asyncio
from math import isinf
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from engine.core.state import NEVER
from engine.runtime.admin.gauges import room_of
from engine.server.answers import Refusal
from engine.server.dashboard import charts, words
from engine.server.dashboard.frame import Page, card, table
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.edge import begin_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.admin.overview import Overview
    from engine.runtime.admin.pulse import Look, Pulse
    from engine.server.admin.operating import House

STREAMS_MAX: Final = 16
"""Pages that are live at once; a further one shows what was as it was loaded."""

_MINUTE_S: Final = 60
_WHILE_S: Final = 300
_LOOK_S: Final = 2
_TENTHS_BELOW_MS: Final = 10
_INPUTS_MANY: Final = 1_000
_MESSAGES_MANY: Final = 10_000
_encode = msgspec.json.Encoder().encode


async def show(house: House, _request: web.Request, _mark: str) -> Page:
    """The page."""
    overview = of(house)
    parts = [tag("div", html, id=name) for name, html in _parts(house, overview).items()]
    live = tag("button", "Live", id="live", class_="other small", type="button",
               aria_pressed="true", hidden=True)  # fmt: skip
    return Page(
        title="Now",
        path="/",
        beside=live,
        content=tag("div", parts, data_stream="/now/stream"),
    )


async def stream(house: House, request: web.Request, _mark: str) -> web.StreamResponse:
    """The page's parts anew each second, as server-sent events, until the process stops."""
    overview = of(house)
    pulse = overview.pulse
    if pulse.listening >= STREAMS_MAX:
        message = f"{STREAMS_MAX} pages are live already; this one shows what was"
        raise Refusal(503, "dashboard.streams", message, headers={"Retry-After": "30"})
    if request.method == "HEAD":
        return web.Response(headers={"Content-Type": "text/event-stream"})
    woken = pulse.listen()
    stopping = asyncio.create_task(house.stopping.wait())
    try:
        answer = await begin_answer(request, "text/event-stream")
        await answer.write(b"retry: 2000\n\n")
        while not stopping.done():
            woken.clear()
            parts = {name: str(html) for name, html in _parts(house, overview).items()}
            await answer.write(b"data: %s\n\n" % _encode(parts))
            looked = asyncio.create_task(woken.wait())
            await asyncio.wait({looked, stopping}, return_when=asyncio.FIRST_COMPLETED)
            looked.cancel()
        await answer.write_eof()
        return answer
    finally:
        stopping.cancel()
        pulse.leave(woken)


def of(house: House) -> Overview:
    """What pages look at. Raises Refusal where nothing is kept to look at."""
    if house.overview is None:
        raise Refusal(503, "not_ready", "the process is starting; ask again in a moment")
    return house.overview


def _parts(house: House, overview: Overview) -> dict[str, Html]:
    pulse = overview.pulse
    return {
        "state": _state(house, overview),
        "tiles": _tiles(house, pulse),
        "rest": tag("div", _channels(pulse), _queues(house, overview), class_="grid two"),
    }


def _state(house: House, overview: Overview) -> Html:
    failure = house.shell.failure
    if failure:
        text = f"The journal cannot be written: {failure}. Nothing is taken until it can."
        return tag("p", text, class_="alert")
    pulse = overview.pulse
    failing = [
        channel
        for channel in pulse.looks[-1].failed
        if pulse.grown(_failed_by(channel), _MINUTE_S)
        and not pulse.grown(_handed_by(channel), _MINUTE_S)
    ]
    if failing:
        names = words.listed(failing, "and")
        text = f"Nothing went out by {names} in the last minute: all attempts failed."
        return tag("p", text, class_="alert")
    speed = f", at {house.clock.rate:g} times real time" if house.clock.rate != 1.0 else ""
    return tag(
        "p", tag("span", "Running", class_="pill good"), " It is ",
        words.instant(house.clock.now_ms()), f" UTC in the shop{speed}.", class_="soft",
    )  # fmt: skip


def _handed_by(channel: str) -> Callable[[Look], float]:
    return lambda look: look.handed.get(channel, 0.0)


def _failed_by(channel: str) -> Callable[[Look], float]:
    return lambda look: look.failed.get(channel, 0.0)


def _handed(look: Look) -> float:
    return sum(look.handed.values())


def _failed(look: Look) -> float:
    return sum(look.failed.values())


def _events(look: Look) -> float:
    return look.events


def _entered(look: Look) -> float:
    return look.entered


def _fired(look: Look) -> float:
    return sum(look.fired)


def _tiles(house: House, pulse: Pulse) -> Html:
    newest = pulse.looks[-1]
    failures: Content = [words.count(pulse.grown(_failed, _WHILE_S)), tag("small", " in 5 min")]
    tiles = (
        _counted("Events", pulse, _events),
        _counted("Enrollments", pulse, _entered),
        _counted("Messages", pulse, _handed),
        _late(pulse),
        _tile("Failures", failures, f"{words.count(newest.rejected)} events refused",
              _chart("Failed attempts", pulse, _failed)),
        _tile("Users", words.short(len(house.processor.users)), "in memory", None),
    )  # fmt: skip
    return tag("div", tiles, class_="tiles")


def _counted(name: str, pulse: Pulse, total: Callable[[Look], float]) -> Html:
    rate = [words.short(pulse.rate(total)), tag("small", " / s")]
    note = f"{words.count(total(pulse.looks[-1]))} since the start"
    return _tile(name, rate, note, _chart(name, pulse, total))


def _chart(name: str, pulse: Pulse, total: Callable[[Look], float]) -> Html:
    return charts.line(pulse.each_second(total), f"{name} a second, over five minutes")


def _tile(name: str, big: Content, note: str, chart: Html | None) -> Html:
    told = tag("dl", tag("dt", name), tag("dd", big, class_="big"), tag("dd", note, class_="note"))
    return tag("div", told, chart, class_="tile")


def _late(pulse: Pulse) -> Html:
    half, most = pulse.lateness_ms(0.5), pulse.lateness_ms(0.99)
    big: Content = words.NONE if half is None else _ms(half)
    fired = words.count(pulse.grown(_fired, _MINUTE_S))
    note = f"{fired} in a minute" if most is None else f"p50; p99 {_ms(most)} of {fired} / min"
    return _tile("Deadlines late", big, note, _chart("Deadlines", pulse, _fired))


def _ms(ms: float) -> str:
    return "over an hour" if isinf(ms) else words.span(ms if ms < _TENTHS_BELOW_MS else round(ms))


def _channels(pulse: Pulse) -> Html:
    look = pulse.looks[-1]
    names = sorted(look.handed.keys() | look.failed.keys())
    sent = {name: pulse.grown(_handed_by(name), _WHILE_S) for name in names}
    most = max(sent.values(), default=0.0)
    rows: list[list[Content]] = [
        [
            name,
            charts.meter(sent[name], most),
            words.count(sent[name]),
            words.count(pulse.grown(_failed_by(name), _WHILE_S)),
            words.count(look.handed.get(name, 0.0)),
        ]
        for name in names
    ]
    heads = ["Channel", "Share", "5 min#", "Failed#", "In all#"]
    return card("Messages by channel", table("Messages by channel", heads, rows, blocks=False))


def _queues(house: House, overview: Overview) -> Html:
    processor, pulse = house.processor, overview.pulse
    due_in_ms = max(0.0, (processor.wake_at_ms - house.clock.now_ms()) / house.clock.rate)
    is_due = processor.wake_at_ms < NEVER
    unsaved, room = len(processor.saving.unsaved), room_of(house.store.path)
    users = "user is" if unsaved == 1 else "users are"
    behind = f"{_ago(pulse.checkpoint_ago_s())}, {words.count(unsaved)} {users} behind"
    facts: list[tuple[str, Content]] = [
        ("Inputs waiting", _level(house.shell.inbox.waiting, _INPUTS_MANY)),
        ("Messages under way", _level(len(house.dispatcher or ()), _MESSAGES_MANY)),
        ("In quarantine", tag("a", words.count(house.store.quarantine.rows), href="/deliveries")),
        ("Next deadline", _due_in(round(due_in_ms)) if is_due else "none"),
        ("Journal", f"last written {_ago(pulse.committed_ago_s())}"),
        ("Checkpoint", f"reaches to {behind}" if unsaved else "everybody is in it"),
        ("On disk", f"{words.size(room.database)}, and {words.size(room.log)} of log"),
        ("Left there", words.size(room.free) if room.free >= 0 else words.NONE),
    ]
    told = tag("dl", [[tag("dt", name), tag("dd", value)] for name, value in facts], class_="facts")
    return card("Queues and disk", told)


def _due_in(ms: int) -> str:
    return f"in {words.span(ms)}" if ms else "now"


def _level(count: int, many: int) -> Html:
    return tag("span", words.count(count), class_="pill warn" if count > many else None)


def _ago(seconds: float) -> str:
    """As exact as a look is."""
    return "just now" if seconds <= _LOOK_S else f"{words.span(int(seconds) * 1_000)} ago"
