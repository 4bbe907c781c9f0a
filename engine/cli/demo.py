"""`hairspring demo`: the demo shop, served, with simulated shoppers sent through its own door."""

from __future__ import annotations

import asyncio
import json
import math
import random  # noqa: TID251 - draws who the simulated shoppers are; the engine never sees it
import secrets
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace
from typing_extensions import override

from engine.core.durations import DurationError, parse_duration_ms
from engine.core.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp

    from channels.base import Message
    from config import Shop
    from engine.app import App
    from engine.sim.shoppers import Act

EPILOG = """\b
Examples:
  hairspring demo
  hairspring demo --for 30s --speed 7200
  hairspring demo --for 10s --json | jq .campaign
"""

FOR_MS_MIN = 1_000
SPEED_MAX = 100_000
"""Shop seconds that may go by in one: over a day. A second of lateness is then a day, too."""

SEED = 20_260_101
SHOPPERS_AT_OPENING = 24
"""Who waits at the door: without them a short demo would be over before the first day is."""

SHOPPERS_PER_S = 4
SHOPPERS_AT_ONCE_MAX = 400
"""Shoppers who are still about to do something; when there are more, nobody new comes in."""

_FAR_MS = 32_503_680_000_000
"""The year 3000: until then the tokens of simulated shoppers are good."""

_READ_S_MIN = 1.0
"""No person reads a message while it is being handed over, however fast the clock runs."""

_MARKS = {"email": "✉ ", "push": "▲ ", "in_app": "◆ ", "sms": "☎ ", "webhook": "→ "}


class _Duration(click.ParamType[int]):
    name = "duration"

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            duration_ms = value if isinstance(value, int) else parse_duration_ms(str(value))
        except DurationError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)
        if duration_ms < FOR_MS_MIN:
            self.fail(f"{value} is too short; give 1s or more", param, ctx)
        return duration_ms


class _Speed(click.ParamType[float]):
    name = "number"

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            speed = float(str(value))
        except ValueError:
            speed = math.nan
        if not 1.0 <= speed <= SPEED_MAX:  # and nan is neither
            told = f"{value!r} is no speed; give a number from 1 to {SPEED_MAX}, such as 600"
            self.fail(told, param, ctx)
        return speed


@click.command(name="demo", epilog=EPILOG)
@click.option(
    "--for", "for_ms", type=_Duration(), help="End by itself after this long.  [default: ctrl-C]"
)
@click.option(
    "--speed",
    type=_Speed(),
    default=600.0,
    show_default=True,
    help=f"How many times faster than real time the clock runs: 1 to {SPEED_MAX}.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: a free one."
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each message.")
def command(*, for_ms: int | None, speed: float, port: int, as_json: bool) -> None:
    """Serve the demo shop, with simulated shoppers and time sped up.

    Shoppers come through the shop's own HTTP door; each message is shown as it goes out. A browser
    may come too: the shop's pages have the browser SDK on them.
    """
    from engine.cli.serve import fastest_loop
    from engine.runtime.logs import set_up_logs

    set_up_logs(as_json=False, verbose=False, quiet=True)
    data = Path(tempfile.mkdtemp(prefix="hairspring-demo-"))
    try:
        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            runner.run(_demo(data, for_ms, speed, port, as_json=as_json))
    finally:
        shutil.rmtree(data, ignore_errors=True)


async def _demo(data: Path, for_ms: int | None, speed: float, port: int, *, as_json: bool) -> None:
    from config import demo_shop, load_folder
    from engine.app import App, Options
    from engine.cli.serve import stop_on_signals

    folder = demo_shop()
    shop = _for_shoppers(load_folder(folder))
    options = Options(data=data, folder=folder, port=port, rate=speed, storefront=True)
    app = await App.start(shop, options)
    stop = stop_on_signals()
    stage = (_JsonStage if as_json else _Stage)(app, stop)
    stage.open(speed, for_ms)
    crowd = asyncio.create_task(_send_shoppers(app, stage, speed))
    try:
        if for_ms is not None:
            asyncio.get_running_loop().call_later(for_ms / 1000, stop.set)
        watch = asyncio.create_task(app.run(stop))
        done, _ = await asyncio.wait({watch, crowd}, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        crowd.cancel()
        await asyncio.gather(crowd, return_exceptions=True)
        await app.stop()
    stage.close()


def _for_shoppers(shop: Shop) -> Shop:
    """The shop as its shoppers need it.

    Without a limit of events a second, since those of a sped up day come in a real one, and with a
    signing key that is known here, where what their browsers do is signed.
    """
    settings = shop.settings
    server = replace(settings.server, rate=0)
    keys = replace(settings.keys, signing=secrets.token_hex())
    return replace(shop, settings=replace(settings, server=server, keys=keys))


class _Stage:
    """What the person at the terminal sees; where nobody looks any more, the demo is to stop."""

    def __init__(self, app: App, stop: asyncio.Event) -> None:
        self._app = app
        self._stop = stop
        self._unheard = False
        self._messages: Counter[tuple[str, str]] = Counter()
        self._started_at_ms = app.clock.now_ms()
        self.sent: Counter[str] = Counter()
        self.readers: Callable[[Message], None] | None = None
        app.on_delivered = self._show

    def open(self, speed: float, for_ms: int | None) -> None:
        until = "ctrl-C ends it" if for_ms is None else f"ends by itself after {for_ms / 1000:g} s"
        name = self._app.shop.settings.shop.name
        self._say(f"{name} is open on {self._app.ingest.url}: walk in with a browser")
        self._say(f"the dashboard is on {self._app.way_in}")
        self._say(f"time runs {speed:g} times faster; {until}\n")

    def _say(self, line: str) -> None:
        try:
            click.echo(line)
        except BrokenPipeError:
            self._unheard = True
            self._stop.set()

    def _show(self, message: Message) -> None:
        self._messages[message.campaign, message.channel] += 1
        if self.readers is not None:
            self.readers(message)
        self._tell(message)

    def _tell(self, message: Message) -> None:
        shop_time = _since(message.at_ms - self._started_at_ms)
        headline = message.front.get("subject") or message.front.get("title") or message.body
        mark = click.style(f"{_MARKS[message.channel]}{message.channel:<6}", fg="cyan")
        whom = click.style(f"{message.user_id:<12}", dim=True)
        self._say(f"{shop_time}  {mark} {whom} {headline}")

    def close(self) -> None:
        """The summary.

        Raises:
            BrokenPipeError: Nobody looks any more.
        """
        if self._unheard:
            raise BrokenPipeError
        self._sum_up()

    def _sum_up(self) -> None:
        closed_at = _since(self._app.clock.now_ms() - self._started_at_ms)
        click.echo(f"\nUntil {closed_at}, shop time: ", nl=False)
        click.echo(", ".join(f"{count} {name}" for name, count in sorted(self.sent.items())))
        click.echo(f"{sum(self._messages.values())} messages:")
        for (campaign, channel), count in sorted(self._messages.items()):
            click.echo(f"  {campaign:<18} {channel:<7} {count:>6}")
        metrics = self._app.metrics
        click.echo(f"{metrics.kinds['exited']} carts left alone, since they were bought")
        fired, within_s = metrics.lateness_within_s(0.99)
        if fired:
            click.echo(f"{fired} deadlines fired, 99 % of them within {within_s * 1000:g} ms")


class _JsonStage(_Stage):
    """What a program reads: a line of JSON as the shop opens, for each message, and at the end."""

    @override
    def open(self, speed: float, for_ms: int | None) -> None:
        app = self._app
        addresses = {"url": app.ingest.url, "admin_url": app.admin.url, "dashboard": app.way_in}
        self._say(json.dumps({"kind": "open", **addresses, "speed": speed, "for_ms": for_ms}))

    @override
    def _tell(self, message: Message) -> None:
        told = {"kind": "message", "at": format_instant(message.at_ms), "user_id": message.user_id}
        told |= {"campaign": message.campaign, "step": message.step, "channel": message.channel}
        self._say(json.dumps({**told, **message.front, "body": message.body}))

    @override
    def _sum_up(self) -> None:
        fired, within_s = self._app.metrics.lateness_within_s(0.99)
        messages = [
            {"campaign": campaign, "channel": channel, "count": count}
            for (campaign, channel), count in sorted(self._messages.items())
        ]
        told = {"kind": "closed", "sent": dict(self.sent), "messages": messages, "fired": fired}
        click.echo(json.dumps({**told, "late_p99_ms": within_s * 1000 if fired else None}))


def _since(elapsed_ms: int) -> str:
    days, rest = divmod(elapsed_ms // 1000, 86_400)
    return f"day {days + 1} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


async def _send_shoppers(app: App, stage: _Stage, speed: float) -> None:
    """Let shoppers in, a few a second, each on their own way."""
    import aiohttp

    from engine.sim.shoppers import visit

    key = app.shop.settings.keys.write[0].key
    rng = random.Random(SEED)  # noqa: S311 - simulated shoppers
    headers = {"Authorization": f"Bearer {key}"}
    number = 0
    async with (
        aiohttp.ClientSession(app.ingest.url, headers=headers) as session,
        asyncio.TaskGroup() as shoppers,
    ):
        readers = random.Random(-SEED)  # noqa: S311 - as above
        stage.readers = lambda message: _give(shoppers, session, message, readers, app)
        about: set[asyncio.Task[None]] = set()
        while True:
            if len(about) < SHOPPERS_AT_ONCE_MAX:
                number += 1
                acts = list(visit(rng, number, app.shop.settings.shop.url))
                walk = shoppers.create_task(_walk(session, stage, acts, speed))
                about.add(walk)
                walk.add_done_callback(about.discard)
            if number >= SHOPPERS_AT_OPENING:
                await asyncio.sleep(rng.expovariate(SHOPPERS_PER_S))


def _give(
    shoppers: asyncio.TaskGroup,
    session: aiohttp.ClientSession,
    message: Message,
    rng: random.Random,
    app: App,
) -> None:
    """Have a shopper look at a message, if he does, as his mail program and his browser would."""
    from channels.tokens import Signer
    from engine.sim.shoppers import noticing, reading

    rate = app.clock.rate
    if message.channel == "in_app":
        token = Signer([app.shop.settings.keys.signing]).sign_user(message.user_id, _FAR_MS)
        bearer = {"Authorization": f"Bearer {token}"}
        for pause_ms, path in noticing(rng, message.id):
            shoppers.create_task(_ask(session, "POST", path, pause_ms / 1000 / rate, bearer))
        return
    said = message.body if message.html else message.front.get("url", "")
    for pause_ms, path in reading(rng, said):
        pause_s = max(_READ_S_MIN, pause_ms / 1000 / rate)
        shoppers.create_task(_ask(session, "GET", path, pause_s))


async def _ask(
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    pause_s: float,
    headers: Mapping[str, str] | None = None,
) -> None:
    await asyncio.sleep(pause_s)
    async with session.request(method, path, headers=headers, allow_redirects=False):
        pass


async def _walk(
    session: aiohttp.ClientSession, stage: _Stage, acts: list[Act], speed: float
) -> None:
    for act in acts:
        await asyncio.sleep(act.pause_ms / 1000 / speed)
        async with session.post("/events", json=act.item) as answer:
            answer.raise_for_status()
        stage.sent[act.item.get("event", "identify calls")] += 1
