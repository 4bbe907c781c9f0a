"""A process on a database whose clock a test turns, and shops for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from config import load_shop
from engine.core.inputs import (
    EventReceived,
    decode_inputs,
)
from engine.runtime.clock import Clock
from engine.runtime.restart import Restarted, come_into_force, restart
from engine.runtime.versions import versions
from engine.sim.exported import Line, decode_lines
from engine.sim.exporting import export
from engine.sim.replaying import Replay
from engine.store import Store
from tests.core.world import DAY, START

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from config import Shop
    from engine.core.effects import Record
    from engine.core.inputs import Input
    from engine.runtime.processor import Processor

SETTINGS = '[events]\nkeep = "30d"\n'
PLAIN = {"campaigns/plain.yaml": "campaign: plain\nenter: {event: Go}\nsteps: [{exit: done}]\n"}


def edge(name: str, when: str, more: str = "") -> dict[str, str]:
    text = f"campaign: {name}\nenter:\n  when: '{when}'\n{more}steps: [{{exit: done}}]\n"
    return {f"campaigns/{name}.yaml": text}


def shop_of(*parts: dict[str, str], toml: str = SETTINGS) -> Shop:
    files = {"hairspring.toml": toml}
    for part in parts:
        files |= part
    return load_shop(files)


BEFORE = shop_of(PLAIN)


class Life:
    """A process on a database, whose clock a test turns."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_ms = START
        self.records: list[Record] = []
        self.restarted: Restarted
        self.working: asyncio.Task[None]

    async def start(self, shop: Shop) -> None:
        self.restarted = await restart(
            shop,
            self.store,
            lambda released: self.records.extend(released.records),
            lambda last_at_ms: Clock(
                last_at_ms, wall_ns=lambda: self.now_ms * 1_000_000, monotonic_ns=self.monotonic_ns
            ),
        )
        self.working = asyncio.create_task(self.restarted.shell.run())

    def monotonic_ns(self) -> int:
        return (self.now_ms - START) * 1_000_000

    async def come_into_force(self, shop: Shop) -> None:
        await come_into_force(shop, self.restarted)

    async def reload(self, shop: Shop) -> None:
        processor, filling = self.processor, self.restarted.filling
        if processor.plans.hold(shop.plan, versions()):
            return
        if not filling.needs(shop.plan) or await filling.prepare(shop.plan, shop.content):
            self.restarted.shell.adopt(shop.plan, shop.content, versions())

    @property
    def processor(self) -> Processor:
        return self.restarted.processor

    async def event(self, name: str, t: int | None = None, user: str = "u", **said: Any) -> None:
        t = self.now_ms if t is None else t
        raw = msgspec.Raw(msgspec.json.encode(said))
        event = EventReceived(user, name, t, self.now_ms, raw)
        await self.restarted.shell.submit([event])

    async def until(self, at_ms: int) -> None:
        """Time passes, and what is due by then is durable."""
        self.now_ms = at_ms
        await self.restarted.shell.submit(())
        while self.processor.wake_at_ms <= at_ms:
            await asyncio.sleep(0)
        await self.restarted.shell.submit(())

    def told(self, kind: str = "entered") -> list[tuple[str, int]]:
        return [(one.campaign, one.at_ms) for one in self.records if one.kind == kind]

    async def die(self) -> None:
        """As by a kill: nothing more is committed."""
        self.working.cancel()
        await asyncio.gather(self.working, return_exceptions=True)

    async def journal(self) -> list[Input]:
        rows = await self.store.read(
            lambda c: c.execute("SELECT inputs FROM journal ORDER BY first_input").fetchall()
        )
        return [one for (lines,) in rows for one in decode_inputs(lines)]


@asynccontextmanager
async def living(path: Path, shop: Shop = BEFORE, keep_ms: int = 30 * DAY) -> AsyncIterator[Life]:
    life = Life(await Store.open(path / "h.db", keep_ms=keep_ms))
    await life.start(shop)
    try:
        yield life
    finally:
        await life.die()
        await life.store.close()


SENDING = {
    "templates/t.in_app.liquid": "Hello",
    "campaigns/hello.yaml": """
campaign: hello
purpose: transactional
enter: {event: Go, reentry: always}
steps: [{wait: 1m, id: w}, {send: in_app, template: t, id: s}]
""",
}


async def replays(life: Life) -> bool:
    """Whether the exported journal, run again, gives the same states to the byte."""
    await life.restarted.shell.settle()
    lines: list[bytes] = []
    await export(life.store, lines.append, lambda _done, _all: None)
    replay = Replay()
    read: Callable[[], list[Line]] = lambda: list(  # noqa: E731 - a name for it
        decode_lines(b"".join(lines).splitlines(), "export")
    )
    for _ in replay.run(read()):
        pass
    assert replay.comparison.different == 0, replay.comparison.shown
    return True
