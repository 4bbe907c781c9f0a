"""The composition root: builds the parts, wires them, starts and drains them.

Order at start: lock the data folder, take both ports (so that one in use is told before any work),
open the operators' door, open the store, replay the journal's tail under the plan that it was
written under, say how long the process was down, put a changed plan into force; then deliveries,
then the clients' door: until then the system refuses them. Draining goes the other way round.
"""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - spreads retries; nothing is decided by it
import secrets
from asyncio import FIRST_COMPLETED
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from channels.redirecting import Redirections
from channels.registry import front_defaults
from engine.errors import ServeError
from engine.runtime.admin.gauges import watch_work
from engine.runtime.admin.overview import Overview
from engine.runtime.alerting import Watched, open_alerts
from engine.runtime.catalog.stock import Stock
from engine.runtime.clock import Clock, check_wall_clock, wall_ms
from engine.runtime.delivery.composing import Composer
from engine.runtime.delivery.inboxes import Inboxes
from engine.runtime.delivery.outward import attempts_max, open_channels, open_sinks
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.erasing import Erasing, finish_erasures
from engine.runtime.logs import now_and_then
from engine.runtime.memory import release_collector, settle_collector
from engine.runtime.metrics import Metrics
from engine.runtime.parts import Parts
from engine.runtime.reloading import PlanInForce, Reloading
from engine.runtime.restart import come_in_time, open_store, restart
from engine.runtime.settling import settle
from engine.runtime.stalls import StallWatch
from engine.server import (
    AdminDoor,
    House,
    LinkDoor,
    Operating,
    Proxies,
    bind,
    connections_for,
    front_door,
    make_admin_app,
    make_ingest_app,
    open_links,
    serve,
    take_admin_key,
    way_in,
)
from engine.store import DataFolder, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from channels.base import Message
    from config import Shop
    from engine.runtime.processor import Processor, Released
    from engine.runtime.shell import Shell
    from engine.server import AdminKey, Bound, Site

PORT_MAX = 65_535

DRAIN_S = 10.0
"""How long what is under way may take, all of it, once the process is told to stop."""

ADMIN_CONNECTIONS_MAX = 64
"""Open connections on the admin port: what is taken up on the other one does not count here."""

_ADMIN_CLOSES_WITHIN_S = 1.0
_TOKEN_BYTES = 24

_log = structlog.get_logger("hairspring")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says over `hairspring.toml`.

    Attributes:
        data: The data folder.
        folder: Where the shop can be read again (`reloading`); None: nowhere.
        host: None: as the shop has it.
        port: None: as the shop has it; 0: a free one.
        rate: Logical milliseconds a real one (the demo's faster time).
        drain_s: How long what is under way may take once the process is told to stop.
        accept_clock: Whether a wall clock far from the last stamp is believed.
        storefront: Whether the demo's own shop is served to clients' browsers.
    """

    data: Path
    folder: Path | None = None
    host: str | None = None
    port: int | None = None
    rate: float = 1.0
    drain_s: float = DRAIN_S
    accept_clock: bool = False
    storefront: bool = False


class App:
    """One running process. Made by `start`; `run` until told to stop; `stop` drains."""

    store: Store
    clock: Clock
    processor: Processor
    shell: Shell
    dispatcher: Dispatcher
    erasing: Erasing
    overview: Overview
    reloading: Reloading | None = None
    ingest: Site
    admin: Site
    admin_key: AdminKey

    def __init__(self, shop: Shop, options: Options) -> None:
        self.shop = shop
        self.metrics = Metrics()
        self.on_delivered: Callable[[Message], None] | None = None
        """Told of each message that its channel took (the demo shows them)."""
        self._options = options
        self._tracking_plan = PlanInForce(shop.tracking_plan)
        self._ready = False
        self._stopping = asyncio.Event()
        self._instance = f"{wall_ms():x}"
        self._clients: list[Site] = []
        self._saved_by_s = 0.0
        self._opened = AsyncExitStack()

    @classmethod
    async def start(cls, shop: Shop, options: Options) -> Self:
        """Start everything; returns once clients are served.

        Raises StoreError or ServeError, with nothing left open.
        """
        app = cls(shop, options)
        async with app._opened:
            port = await app._take_place()
            await app._recover()
            app._start_deliveries()
            await app._open_door(port)
            await open_alerts(shop.settings, app._watched(), app._opened)
            app._ready = True
            app._opened = app._opened.pop_all()
        return app

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; raises what cannot be mended here (CommitFailed)."""
        stopped: asyncio.Future[Any] = asyncio.create_task(stop.wait())
        ends: list[asyncio.Future[Any]] = [self._working, self.dispatcher.broken]
        await asyncio.wait({stopped, *ends}, return_when=FIRST_COMPLETED)
        stopped.cancel()
        for end in ends:
            if end.done():
                end.result()

    async def stop(self) -> None:
        """Drain, save everybody, close. Raises ServeError where the journal cannot be written."""
        self._ready = False
        self._stopping.set()
        self._saved_by_s = asyncio.get_running_loop().time() + self._options.drain_s
        await self._opened.aclose()

    def left(self) -> dict[str, int]:
        """What a start would find if the process ended now: nothing of it is lost."""
        return {"messages": len(self.dispatcher), "inputs_unanswered": self.shell.inbox.waiting}

    def why_not_ready(self) -> str:
        """What keeps the process from taking events, or ""."""
        if not self._ready:
            return "starting or stopping"
        return f"the journal cannot be written: {self.shell.failure}" if self.shell.failure else ""

    def _house(self) -> House | None:
        if not self._ready:
            return None
        return House(
            store=self.store,
            shell=self.shell,
            processor=self.processor,
            clock=self.clock,
            erasing=self.erasing,
            reloading=self.reloading,
            stopping=self._stopping,
            signer=self._links.signer,
            overview=self.overview,
            tracking_plan=self._tracking_plan,
            dispatcher=self.dispatcher,
        )

    def _watched(self) -> Watched:
        return Watched(
            store=self.store,
            shell=self.shell,
            processor=self.processor,
            stock=self.stock,
            tallies=self.overview.tallying.tallies,
            metrics=self.metrics,
            data=self._options.data,
            now_ms=self.clock.now_ms,
        )

    async def _take_place(self) -> Bound:
        """Take what one process only can have: the data folder, both ports; let operators in."""
        folder = DataFolder.take(self._options.data)
        self._opened.callback(folder.release)
        server = self.shop.settings.server
        port = server.port if self._options.port is None else self._options.port
        ingest = await bind(self._options.host or server.host, port)
        self._opened.callback(ingest.close)
        admin_port = server.admin_port or (ingest.port + 1 if port else 0)
        if admin_port > PORT_MAX:
            raise ServeError(
                f"the admin port would be {admin_port}, the one after {port}",
                hint="choose a lower --port, or set server.admin_port",
                code="serve.port",
            )
        admin = await bind(
            server.admin_host,
            admin_port,
            name="admin port",
            port_option="server.admin_port (while it is 0: the one after --port)",
            host_option="server.admin_host",
        )
        self._opened.callback(admin.close)
        # Once the rest is there: a start that fails would have used up the one telling of it.
        self.admin_key = take_admin_key(self.shop.settings.keys.admin, self._options.data)
        self._links = open_links(self.shop.settings, self._options.data, ingest.port)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        door = AdminDoor(
            key=self.admin_key.key,
            host=server.admin_host,
            why_not_ready=self.why_not_ready,
            metrics=self.metrics,
            log=structlog.get_logger("hairspring.admin"),
            instance=self._instance,
            proxies=Proxies(server.proxies),
            operating=Operating(keys=(self.admin_key.key, token), house=self._house),
        )
        self.admin = await serve(make_admin_app(door), admin, connections_max=ADMIN_CONNECTIONS_MAX)
        self.way_in = way_in(self.admin.url, door)
        folder.announce(self.admin.url, token)
        self._opened.push_async_callback(self.admin.aclose, _ADMIN_CLOSES_WITHIN_S)
        return ingest

    async def _recover(self) -> None:
        settings, data = self.shop.settings, self._options.data
        self.store = await open_store(
            data / settings.storage.file, settings, now_and_then("database.migrating")
        )
        self._opened.push_async_callback(self.store.close)
        await finish_erasures(self.store, data / "outbox")
        self.sinks = await open_sinks(settings, self.store, data, self.metrics)
        self._opened.push_async_callback(self.sinks.stop)
        stock = Stock(self.store, settings, self._options.folder, data, self.metrics)
        self._opened.push_async_callback(stock.aclose)
        self.stock = await stock.open()
        restarted = await restart(self.shop, self.store, self._release, self._start_clock)
        self.clock, self.processor = restarted.clock, restarted.processor
        self.shell, self._filling = restarted.shell, restarted.filling
        self._templates = restarted.templates
        self.processor.on_fired = self._count_lateness
        self.overview = Overview.of(settings, self.store, self.processor, self.clock, self.metrics)
        await self.overview.open()
        self._opened.push_async_callback(self.overview.stop)
        settle_collector()
        self._opened.callback(release_collector)
        stalls = StallWatch(asyncio.get_running_loop(), self.metrics.stalls)
        self._opened.callback(stalls.stop)
        self._working = asyncio.create_task(self.shell.run())
        self._opened.push_async_callback(
            lambda: settle(self.shell, self._working, self._saved_by_s)
        )
        coming = asyncio.create_task(come_in_time(self.shop, restarted))
        self._opened.push_async_callback(self._stay, coming)
        _log.info("recovered", users=len(self.processor.users), replayed=restarted.replayed)

    async def _stay(self, coming: asyncio.Task[None]) -> None:
        """Have no other plan come into force any more: the next start sees to it."""
        self._filling.forget()
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)

    def _start_clock(self, last_at_ms: int) -> Clock:
        if not self._options.accept_clock:
            check_wall_clock(last_at_ms)
        return Clock(last_at_ms, rate=self._options.rate)

    def _count_lateness(self, due_at_ms: int, now_ms: int) -> None:
        self.metrics.deadline_fired((now_ms - due_at_ms) / self._options.rate)

    def _start_deliveries(self) -> None:
        channels = self.shop.settings.channels
        url, data = self.shop.settings.shop.url, self._options.data
        self._inboxes = Inboxes.of(channels, self.store, self.clock, self.processor)
        built = open_channels(
            channels, data=data, now_ms=wall_ms, shop_url=url, shelf=self._inboxes
        )
        redirections = Redirections(self.shop.settings.testing.redirections())
        self.erasing = Erasing(
            store=self.store,
            shell=self.shell,
            processor=self.processor,
            now_ms=self.clock.now_ms,
            channels=built,
            outbox=self._options.data / "outbox",
            forget=self.sinks.forget,
            stock=self.stock,
        )
        composer = Composer(
            self._templates,
            self.metrics,
            front={channel: front_defaults(chosen) for channel, chosen in channels.items()},
            links=self._links,
            stock=self.stock,
        )
        self.dispatcher = Dispatcher(
            store=self.store,
            channels=redirections.over(built),
            composer=composer,
            processor=self.processor,
            report=self.shell.report,
            now_ms=self.clock.now_ms,
            jitter=random.Random().random,  # noqa: S311 - spreads retries
            metrics=self.metrics,
            on_delivered=self._delivered,
            concurrency={channel: chosen.concurrency for channel, chosen in channels.items()},
            rates={channel: chosen.rate for channel, chosen in channels.items()},
            rate=self._options.rate,
        )
        self.stock.ids_of = self.processor.ids_of
        self._link_door = LinkDoor(
            self._links, self.shop.settings, self.shell, self.clock.now_ms, self.metrics
        )
        self.dispatcher.start()
        if self._options.folder is not None:
            self.reloading = Reloading(
                self._options.folder,
                self.shop.settings,
                shell=self.shell,
                processor=self.processor,
                composer=composer,
                filling=self._filling,
                redirections=redirections,
                on_settings=self._link_door.follow,
                tracking_plan=self._tracking_plan,
            )
        self._opened.push_async_callback(self._drain)
        watch_work(self.metrics, self.shell, self.processor, self.dispatcher, self.store)

    def _release(self, released: Released) -> None:
        self.metrics.released(released)
        self.overview.tallying.released(released)
        self.sinks.released()
        self.dispatcher.release(released)

    def _delivered(self, message: Message) -> None:
        if self.on_delivered is not None:
            self.on_delivered(message)

    async def _drain(self) -> None:
        """End requests and deliveries within one time, so that neither waits for the other."""
        self._inboxes.close()
        within_s = self._options.drain_s
        await asyncio.gather(
            self.dispatcher.stop(within_s), *(site.aclose(within_s) for site in self._clients)
        )
        await self._link_door.engagement.aclose()

    async def _open_door(self, bound: Bound) -> None:
        """Let clients in."""
        door = front_door(
            self.shop.settings,
            Parts(self.store, self.shell, self.processor, self.clock, self.metrics),
            data=self._options.data,
            links=self._link_door,
            why_not_ready=self.why_not_ready,
            instance=self._instance,
            inboxes=self._inboxes,
            signer=self._links.signer,
            tracking_plan=self._tracking_plan,
            with_storefront=self._options.storefront,
        )
        most = connections_for(attempts_max(self.shop.settings.channels))
        self.ingest = await serve(make_ingest_app(door), bound, log=door.log, connections_max=most)
        self._clients.append(self.ingest)
        watch = self.metrics.watch
        watch("connections", "Open connections of clients.", lambda: self.ingest.open)
        watch("connections_turned_away", "Those too many.", lambda: self.ingest.turned_away)
        watch("in_app_streams", "Browsers that listen.", lambda: self._inboxes.listening)
        watch("connections_cut", "Those too slow.", lambda: self.ingest.cut)
