"""The composition root: builds the parts, wires them, starts and drains them.

Order at start: lock the data folder, open the store, replay the journal's tail under the plan that
it was written under, say how long the process was down, put a changed plan into force; then
deliveries, then the doors. Draining goes the other way round.
"""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - spreads retries; nothing is decided by it
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from channels.registry import build_channels, front_defaults
from config import ContentInvalid, ShopInvalid, decode_content, load_shop
from engine.errors import ServeError
from engine.runtime.clock import Clock, wall_ms
from engine.runtime.dedupe import Dedupe
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.memory import settle_collector
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.server import (
    AdminDoor,
    IngestDoor,
    Limits,
    listen,
    make_admin_app,
    make_ingest_app,
)
from engine.store import DataFolder, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from channels.base import Message
    from config import Shop
    from engine.core.plan import Plan
    from engine.runtime.processor import Released
    from engine.server import Site
    from engine.store import Recovered

PORT_MAX = 65_535

DRAIN_S = 10.0
"""How long deliveries under way may take once the process is told to stop."""

_log = structlog.get_logger("hairspring")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says over `hairspring.toml`.

    Attributes:
        data: The data folder.
        host: None: as the shop has it.
        port: None: as the shop has it; 0: a free one.
        rate: Logical milliseconds a real one (the demo's faster time).
    """

    data: Path
    host: str | None = None
    port: int | None = None
    rate: float = 1.0


class App:
    """One running process. Made by `start`; `run` until told to stop; `stop` drains."""

    store: Store
    clock: Clock
    processor: Processor
    shell: Shell
    dispatcher: Dispatcher
    ingest: Site
    admin: Site

    def __init__(self, shop: Shop, options: Options) -> None:
        self.shop = shop
        self.metrics = Metrics()
        self.on_delivered: Callable[[Message], None] | None = None
        """Told of each message that its channel took (the demo shows them)."""
        self._options = options
        self._ready = False
        # What was opened is closed in the other order, by `stop` or when starting fails.
        self._opened = AsyncExitStack()

    @classmethod
    async def start(cls, shop: Shop, options: Options) -> Self:
        """Start everything; returns once clients are served.

        Raises StoreError, ServeError or SettingsFault, with nothing left open.
        """
        app = cls(shop, options)
        async with app._opened:
            await app._recover()
            app._start_deliveries()
            await app._open_doors()
            app._ready = True
            app._opened = app._opened.pop_all()
        return app

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; raises what cannot be mended here (CommitFailed)."""
        stopped: asyncio.Future[Any] = asyncio.create_task(stop.wait())
        ends: list[asyncio.Future[Any]] = [self._working, self.dispatcher.broken]
        await asyncio.wait({stopped, *ends}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for end in ends:
            if end.done():
                end.result()

    async def stop(self) -> None:
        """Drain: take nothing more, end what is under way, save everybody, close."""
        self._ready = False
        await self._opened.aclose()

    def why_not_ready(self) -> str:
        """What keeps the process from taking events, or ""."""
        if not self._ready:
            return "starting or stopping"
        return f"the journal cannot be written: {self.shell.failure}" if self.shell.failure else ""

    async def _recover(self) -> None:
        settings = self.shop.settings
        folder = DataFolder.take(self._options.data)
        self._opened.callback(folder.release)
        self.store = await Store.open(
            self._options.data / settings.storage.file,
            sync=settings.storage.sync,
            keep_ms=max(settings.events.keep_ms, settings.events.dedupe_window_ms),
        )
        self._opened.push_async_callback(self.store.close)
        recovered = await self.store.recover(
            settings.events.dedupe_window_ms, settings.events.dedupe_max
        )
        self.clock = Clock(recovered.last_at_ms, rate=self._options.rate)
        plan = await self._stored_plan(recovered.plan_id)
        self.processor = processor = self._make_processor(plan or self.shop.plan, recovered)
        if plan is None:
            # What was journaled under a plan that cannot be read any more is read by this one.
            processor.adopt(self.shop.plan, recovered.last_at_ms)
        replayed = processor.replay(recovered.tail)
        self.shell = Shell(processor, self.store, self.clock, self._release)
        if recovered.last_at_ms:
            self.shell.resume(settings.storage.resume_grace_ms)
        if recovered.plan_id != self.shop.plan.id:
            await self.store.keep_plan(self.shop.plan.id, self.shop.content)
            if plan is not None:
                self.shell.adopt(self.shop.plan)
        processor.on_fired = self._count_lateness
        settle_collector()
        self._working = asyncio.create_task(self.shell.run())
        self._opened.push_async_callback(self._settle)
        _log.info("recovered", users=len(recovered.users), replayed=replayed)

    async def _stored_plan(self, plan_id: str) -> Plan | None:
        """The plan that the journal's tail was written under, or None if it cannot be read."""
        if plan_id in {"", self.shop.plan.id}:
            return self.shop.plan
        content = await self.store.plan_content(plan_id)
        if content is not None:
            try:
                return load_shop(decode_content(content)).plan
            except (ShopInvalid, ContentInvalid) as error:
                _log.warning("plan.unreadable", plan=plan_id, why=error.message)
        return None

    def _make_processor(self, plan: Plan, recovered: Recovered) -> Processor:
        settings = self.shop.settings
        dedupe = Dedupe(settings.events.dedupe_window_ms, settings.events.dedupe_max)
        for at_ms, hashes in recovered.hashes:
            dedupe.restore(at_ms, hashes)
        return Processor(
            plan,
            recovered.users,
            now_ms=recovered.last_at_ms,
            next_input=recovered.next_input,
            next_message=recovered.next_message,
            dedupe=dedupe,
            max_replay=settings.storage.max_replay,
        )

    def _count_lateness(self, due_at_ms: int, now_ms: int) -> None:
        self.metrics.deadline_fired((now_ms - due_at_ms) / self._options.rate)

    def _start_deliveries(self) -> None:
        channels = self.shop.settings.channels
        self.dispatcher = Dispatcher(
            store=self.store,
            channels=build_channels(channels, data=self._options.data, now_ms=wall_ms),
            templates=self.shop.templates,
            front={channel: front_defaults(chosen) for channel, chosen in channels.items()},
            verdict=lambda message: self.processor.verdict(message, self.clock.now_ms()),
            report=self.shell.report,
            now_ms=self.clock.now_ms,
            jitter=random.Random().random,  # noqa: S311 - as above
            metrics=self.metrics,
            on_delivered=self._delivered,
            concurrency={channel: chosen.concurrency for channel, chosen in channels.items()},
            rate=self._options.rate,
        )
        self.dispatcher.start()
        self._opened.push_async_callback(self.dispatcher.stop, DRAIN_S)
        watch = self.metrics.watch
        watch("users", "Users in memory.", lambda: len(self.processor.users))
        watch("inbox", "Inputs that wait to be taken.", lambda: self.shell.waiting)
        watch("deliveries_held", "Messages held in memory.", lambda: len(self.dispatcher))
        watch("journal_failing", "1 while commits fail.", lambda: bool(self.shell.failure))
        watch("condition_errors", "Conditions that failed.", lambda: self.processor.errors)
        watch("quarantined", "Items in the quarantine.", lambda: self.store.quarantine.rows)
        watch(
            "quarantine_dropped",
            "Items that newer ones took the place of.",
            lambda: self.store.quarantine.dropped,
        )
        watch("dedupe_forgotten", "Ids forgotten too soon.", self._forgotten)

    def _forgotten(self) -> int:
        dedupe = self.processor.dedupe
        return 0 if dedupe is None else dedupe.forgotten

    def _release(self, released: Released) -> None:
        self.metrics.released(released)
        self.dispatcher.release(released)

    def _delivered(self, message: Message) -> None:
        if self.on_delivered is not None:
            self.on_delivered(message)

    async def _settle(self) -> None:
        """Have everything durable, unless the shell has failed, and end the shell."""
        self.shell.stop_taking()
        settled = asyncio.create_task(self.shell.settle())
        await asyncio.wait({settled, self._working}, return_when=asyncio.FIRST_COMPLETED)
        for task in (settled, self._working):
            task.cancel()
        await asyncio.gather(settled, self._working, return_exceptions=True)

    async def _open_doors(self) -> None:
        """Listen, for clients and for operators; clients are turned away until all is ready."""
        server, keys = self.shop.settings.server, self.shop.settings.keys
        port = server.port if self._options.port is None else self._options.port
        instance = f"{self.clock.now_ms():x}"
        ingest = make_ingest_app(
            IngestDoor(
                submit=self.shell.submit,
                now_ms=self.clock.now_ms,
                keys=tuple(key.key for key in keys.write),
                why_not_ready=self.why_not_ready,
                metrics=self.metrics,
                log=structlog.get_logger("hairspring.http"),
                instance=instance,
                limits=Limits(
                    body_max_bytes=server.body_max_bytes,
                    events_max=server.events_max,
                    event_max_bytes=server.event_max_bytes,
                ),
            )
        )
        admin = make_admin_app(
            AdminDoor(
                key=keys.admin,
                host=server.admin_host,
                why_not_ready=self.why_not_ready,
                metrics=self.metrics,
                log=structlog.get_logger("hairspring.admin"),
                instance=instance,
            )
        )
        log = structlog.get_logger("hairspring.http")
        self.ingest = await listen(ingest, self._options.host or server.host, port, log=log)
        self._opened.push_async_callback(self.ingest.aclose)
        admin_port = server.admin_port or (self.ingest.port + 1 if port else 0)
        if admin_port > PORT_MAX:
            raise ServeError(
                f"the admin port would be {admin_port}, the one after {port}",
                hint="choose a lower --port, or set server.admin_port",
                code="serve.port",
            )
        self.admin = await listen(admin, server.admin_host, admin_port, log=log)
        self._opened.push_async_callback(self.admin.aclose)
