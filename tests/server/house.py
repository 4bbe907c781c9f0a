"""The whole chain that takes events, on free ports of 127.0.0.1."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import structlog
from structlog.testing import LogCapture
from typing_extensions import override

import engine.server
from channels.links import Links
from channels.tokens import Signer
from config.serving import WriteKey
from config.settings import Settings
from engine.core.inputs import Input, decode_inputs
from engine.core.plan import Plan
from engine.runtime.bulk import Looking
from engine.runtime.clock import Clock
from engine.runtime.dedupe import Dedupe
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.server import (
    AdminDoor,
    IngestDoor,
    Limits,
    LinkDoor,
    Operating,
    listen,
    make_admin_app,
    make_ingest_app,
)
from engine.server.clients import Proxies
from engine.server.links.engagement import Engagement
from engine.server.rates import BadKeys
from engine.store import CommitFailed, Quarantined, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp import web

    from engine.server import Site
    from engine.store import Batch

KEY = "a-write-key"
SIGNER = Signer(["a-signing-key"])
BEARER = {"Authorization": f"Bearer {KEY}"}


class GatedStore(Store):
    """A store whose commits wait for `gate`, and do not go through while `broken`."""

    gate: asyncio.Event
    reached: asyncio.Event
    broken: bool
    failed: asyncio.Event
    committed: list[Batch]

    @classmethod
    async def at(cls, path: Path) -> GatedStore:
        store = await cls.open(path, sync="normal")
        store.gate = asyncio.Event()
        store.gate.set()
        store.reached = asyncio.Event()
        store.broken = False
        store.failed = asyncio.Event()
        store.committed = []
        return store

    @override
    async def commit(self, batch: Batch) -> None:
        self.reached.set()
        await self.gate.wait()
        if self.broken:
            self.failed.set()
            raise CommitFailed("no room", hint="make some", again=True)
        await super().commit(batch)
        self.committed.append(batch)


class Answer:
    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


class House:
    """Store, processor, shell, both servers and a client."""

    store: GatedStore
    shell: Shell
    site: Site
    admin: Site
    client: aiohttp.ClientSession
    admin_app: web.Application
    links: LinkDoor

    def __init__(self, plan: Plan) -> None:
        self.operated: Callable[[], engine.server.House | None] = lambda: None
        self.clock = Clock()
        self.monotonic_ns = 10**18  # what rates are held against; it stands unless a test moves it
        self.processor = Processor(plan, dedupe=Dedupe(86_400_000, 10_000))
        self.metrics = Metrics()
        self.lines = LogCapture()
        self.log = structlog.wrap_logger(
            None,
            processors=[self.lines],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        )

    @classmethod
    async def start(
        cls,
        path: Path,
        limits: Limits | None = None,
        *,
        plan: Plan | None = None,
        trigger_keys: tuple[str, ...] = (),
        keys: tuple[WriteKey, ...] = (WriteKey(key=KEY),),
        settings: Settings | None = None,
        proxies: tuple[str, ...] = (),
        **more: Any,
    ) -> House:
        house = cls(plan or Plan("empty"))
        house.store = await GatedStore.at(path / "house.db")
        house.shell = Shell(house.processor, house.store, house.clock, lambda _: None)
        house._working = asyncio.create_task(house.shell.run())
        shared: dict[str, Any] = {
            "why_not_ready": lambda: house.shell.failure,
            "metrics": house.metrics,
            "log": house.log,
            "instance": "test",
            "proxies": Proxies(proxies),
        }
        house.links = LinkDoor(
            Links("http://links.invalid", SIGNER),
            settings or Settings(),
            house.shell,
            house.clock.now_ms,
            house.metrics,
            engagement=Engagement(
                house.shell.submit,
                house.clock.now_ms,
                house.processor.find,
                house.metrics,
                early_after_s=0,
            ),
        )
        door = IngestDoor(
            links=house.links,
            submit=house.shell.submit,
            now_ms=house.clock.now_ms,
            keys=keys,
            monotonic_ns=lambda: house.monotonic_ns,
            limits=limits or Limits(),
            trigger_keys=trigger_keys,
            campaigns=lambda: house.processor.plan.campaigns,
            would=Looking(house.processor, house.clock.now_ms).would,
            **shared,
            **more,
        )
        house.site = await listen(make_ingest_app(door), "127.0.0.1", 0, log=house.log)
        house.admin_app = make_admin_app(house._admin_door(shared))
        house.admin = await listen(house.admin_app, "127.0.0.1", 0, log=house.log)
        house.client = aiohttp.ClientSession()
        return house

    def _admin_door(self, shared: dict[str, Any]) -> AdminDoor:
        bad = BadKeys(lambda: self.monotonic_ns)
        return AdminDoor(
            key="an-admin-key",
            host="127.0.0.1",
            operating=Operating(keys=("an-admin-key", ""), house=self._operated, bad=bad),
            monotonic_ns=lambda: self.monotonic_ns,
            **shared,
        )

    def refused(self, why: str) -> float:
        """How many requests were not looked into, as metrics tell it."""
        return self.metrics.registry.get_sample_value(
            "hairspring_requests_refused_total", {"why": why}
        ) or 0.0  # fmt: skip

    def _operated(self) -> engine.server.House | None:
        return self.operated()

    def operate(self, **more: Any) -> None:
        """Let who has the admin key operate what runs: nobody is erased, and nothing reloaded."""
        parts = {"erasing": None, "reloading": None, "clock": self.clock, **more}
        operated = engine.server.House(
            store=self.store, shell=self.shell, processor=self.processor, **parts
        )
        self.operated = lambda: operated

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        """POST to the ingest port, with the key unless `headers` say otherwise."""
        options.setdefault("headers", BEARER)
        options["json" if isinstance(body, dict | list) else "data"] = body
        async with self.client.post(self.site.url + path, **options) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def get(self, path: str, *, admin: bool = False, **options: Any) -> Answer:
        base = self.admin.url if admin else self.site.url
        async with self.client.get(base + path, **options) as answer:
            return Answer(answer.status, answer.headers, await answer.text(errors="replace"))

    @property
    def inputs(self) -> list[Input]:
        """Everything that was committed, in order."""
        return [i for batch in self.store.committed for i in decode_inputs(batch.inputs)]

    @property
    def quarantined(self) -> list[Quarantined]:
        return [item for batch in self.store.committed for item in batch.quarantined]

    async def aclose(self) -> None:
        self.store.gate.set()
        self.store.broken = False
        await self.client.close()
        await self.site.aclose()
        await self.admin.aclose()
        settled = asyncio.create_task(self.shell.settle())
        await asyncio.wait({settled, self._working}, return_when=asyncio.FIRST_COMPLETED)
        broken = self._working.done()
        settled.cancel()
        self._working.cancel()
        await asyncio.gather(settled, self._working, return_exceptions=True)
        await self.store.close()
        if broken:
            self._working.result()
