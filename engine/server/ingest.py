"""The door that events come in by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
from aiohttp import web
from structlog.typing import FilteringBoundLogger

from config.serving import WriteKey
from engine.core.inputs import TriggerReceived
from engine.core.intake.tracking_plan import TrackingPlan, no_plan
from engine.runtime.clock import monotonic_ns
from engine.runtime.metrics import Metrics
from engine.runtime.starting import Started
from engine.server import pixel, posthog
from engine.server.answers import Refusal, answer_json, success
from engine.server.bodies import Limits, body_at_hand, is_plain, read_body
from engine.server.browser_settings import settings_handlers
from engine.server.clients import PROXIES, Proxies
from engine.server.doors import ChannelDoors
from engine.server.edge import TAKEN, Edge
from engine.server.floor import FLOOR, Floor
from engine.server.health import health_handlers
from engine.server.keys import WriteKeys, key_in
from engine.server.links import LinkDoor
from engine.server.native import sort_events
from engine.server.openapi import openapi_handlers
from engine.server.origins import Origins
from engine.server.push import push_handlers
from engine.server.sdk import sdk_handlers
from engine.server.segment import ROUTES, sort_batch, sort_call
from engine.server.sorting import Sorted
from engine.server.starting import start_handler
from engine.server.storefront import Storefront
from engine.server.webhooks.door import ROUTE, WebhookDoor, webhook_handler

if TYPE_CHECKING:
    from engine.core.inputs import UserInput
    from engine.runtime.starting import Told
    from engine.server.rates import Allowance
    from engine.store import QuarantineChange


class Submit(Protocol):
    """Takes inputs in order; returns once they are durable, or raises Unavailable."""

    async def __call__(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[QuarantineChange] = (),
        size_bytes: int = 0,
        told: Told | None = None,
    ) -> None:
        """See `engine.runtime.shell.Shell.submit`."""
        ...


class IngestDoor(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the ingest server stands on.

    Attributes:
        submit: The processor's door.
        now_ms: Logical time, for the instant of reception.
        keys: Write keys.
        why_not_ready: What keeps the process from taking events, or "".
        metrics: Counts items by fate.
        log: One line a request.
        instance: Begins request ids; different in each run.
        limits: What one request may bring.
        trigger_keys: Who may start campaigns; empty: this machine alone.
        campaigns: Ids of those that the shop has.
        would: Tells what would come of manual starts.
        monotonic_ns: What rates are held against.
        webhooks: What other sources call; None: nobody does.
        channels: Doors that the shop's channels have.
        links: What stands behind links in messages, and whether `Sec-GPC` is honoured.
        storefront: The demo's own shop; None: no pages are served.
        tracking_plan: Gives the one in force, or None.
        proxies: Who is believed whom they ask for.
    """

    submit: Submit
    now_ms: Callable[[], int]
    keys: tuple[WriteKey, ...]
    why_not_ready: Callable[[], str]
    metrics: Metrics
    log: FilteringBoundLogger
    instance: str
    limits: Limits = Limits()
    trigger_keys: tuple[str, ...] = ()
    campaigns: Callable[[], Collection[str]] = tuple[str]
    would: Callable[[Sequence[TriggerReceived]], Awaitable[list[Started]]] | None = None
    monotonic_ns: Callable[[], int] = monotonic_ns
    channels: ChannelDoors = ChannelDoors()
    links: LinkDoor | None = None
    tracking_plan: Callable[[], TrackingPlan | None] = no_plan
    webhooks: WebhookDoor | None = None
    storefront: Storefront | None = None
    proxies: Proxies = Proxies()


def make_ingest_app(door: IngestDoor) -> web.Application:
    """The server that clients send events to. It is made in the loop's thread, before `listen`."""
    app = web.Application(client_max_size=door.limits.body_max_bytes)
    app[PROXIES] = door.proxies
    app[FLOOR] = floor = Floor()
    ingest = _Ingest(door, floor)
    edge = Edge(door.log, door.instance, Origins(ingest.keys.origins))
    with_write_key = {route: ingest.make_sdk_handler(kind) for route, kind in ROUTES.items()}
    with_write_key |= {"/events": ingest.events, "/v1/scores": ingest.scores}
    with_write_key |= dict.fromkeys(posthog.ROUTES, ingest.captured)
    edge.add_routes(app, "POST", with_write_key, of_pages=True)
    track = {"GET": ingest.track_by_pixel, "POST": ingest.track_by_beacon}
    edge.add_resource(app, "/track", track, of_pages=True)
    edge.add_routes(app, "POST", {"/trigger": start_handler(door)})
    edge.add_routes(app, "GET", {**health_handlers(door.why_not_ready), **openapi_handlers()})
    edge.add_routes(app, "GET", settings_handlers(ingest.keys), of_pages=True)
    edge.add_routes(app, "GET", sdk_handlers(), of_pages=True)
    edge.add_routes(app, "GET", push_handlers(door.channels.push_key), of_pages=True)
    for one, of_pages in ((door.channels.twilio, False), (door.channels.inbox, True)):
        for path, handlers in one.routes().items() if one is not None else ():
            edge.add_resource(app, path, handlers, of_pages=of_pages)
    for served in (door.links, door.storefront):
        for path, handlers in {} if served is None else served.routes().items():
            edge.add_resource(app, path, handlers)
    if door.webhooks is not None:
        edge.add_routes(app, "POST", {ROUTE: webhook_handler(door.webhooks, door.monotonic_ns)})
    edge.close(app)
    return app


class _Ingest:
    def __init__(self, door: IngestDoor, floor: Floor) -> None:
        self._floor = floor
        self._submit = door.submit
        self._now_ms = door.now_ms
        self.keys = WriteKeys(door.keys, door.limits, door.metrics, door.monotonic_ns)
        self._limits = door.limits
        self._links = door.links
        self._plan = door.tracking_plan
        self._untracked = door.metrics.untracked.labels("event")
        self._accepted = door.metrics.inputs.labels("accepted")
        self._rejected = door.metrics.inputs.labels("rejected")

    def make_sdk_handler(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler of calls of one kind; "" takes batches.

        Where nothing of a body could be taken, the answer is 400: whoever looks at the client's
        log hears of it, and no stock client sends a 400 again. Where something was, it is 200, and
        the quarantine has the rest.
        """

        async def handle(request: web.Request) -> web.Response:
            into, body = await self._receive(request)
            if kind:
                sort_call(body, into, kind)
            else:
                async with self._floor.given(len(body)):
                    await sort_batch(body, into)
            return await self._take_of_sdk(request, into, len(body))

        return handle

    async def captured(self, request: web.Request) -> web.Response:
        """`POST /batch/`, PostHog's."""
        into, body = await self._receive(request)
        async with self._floor.given(len(body)):
            await posthog.sort_captured(body, into)
        return await self._take_of_sdk(request, into, len(body))

    async def track_by_pixel(self, request: web.Request) -> web.Response:
        """`GET /track`. Who asks for the head alone (a scanner of links) has seen no picture."""
        allowance = self.keys.admit_said(request, request.query.get(pixel.KEY, ""), guess=True)
        if request.method != "HEAD":
            item = pixel.item_of(request.query.items())
            await self._take_native(request, item, self._sorted(request, allowance), "")
        return pixel.pixel()

    async def track_by_beacon(self, request: web.Request) -> web.Response:
        """`POST /track`, which is `POST /events` with the key in the address, and forms too."""
        body = await read_body(request, self._limits)
        form = pixel.form_of(body)
        said = request.query.get(pixel.KEY) or form.get(pixel.KEY) or key_in(body)
        allowance = self.keys.admit_said(request, said, guess=True)
        item = pixel.item_of(form.items()) if form else body
        return await self._take_native(request, item, self._sorted(request, allowance), "")

    async def events(self, request: web.Request) -> web.Response:
        """`POST /events`, the native form.

        Where nothing of a body could be taken, the answer is 400, with the same `accepted` and
        `rejected` members as the 200 and the faults as `errors`: a client that only looks at the
        status must not take it for a yes.
        """
        into, body = await self._receive(request)
        return await self._take_native(request, body, into, "")

    async def scores(self, request: web.Request) -> web.Response:
        """`POST /v1/scores`, the same form for models' scores, with the SDK routes' `success`."""
        into, body = await self._receive(request)
        return await self._take_native(request, body, into, "score", success=True)

    async def _take_native(
        self, request: web.Request, body: bytes, into: Sorted, kind: str, **more: object
    ) -> web.Response:
        async with self._floor.given(len(body)):
            single = await sort_events(body, into, kind)
        await self._take(request, into, len(body))
        if into.rejected and not into.accepted and not into.untracked:
            none = {"accepted": 0, "rejected": into.rejected}
            raise _nothing_taken(into, None if single else none)
        counted = {"accepted": into.accepted, "rejected": into.rejected}
        if into.untracked:
            counted["untracked"] = into.untracked
        return answer_json(more | counted)

    async def _receive(self, request: web.Request) -> tuple[Sorted, bytes]:
        # Most bodies are there with their head: then nothing needs to be awaited.
        body = body_at_hand(request, self._limits)
        if not is_plain(body):
            body = await read_body(request, self._limits, body)
        allowance = self.keys.admit(request, body)
        return self._sorted(request, allowance), body

    def _sorted(self, request: web.Request, allowance: Allowance) -> Sorted:
        return Sorted(self._now_ms(), request.path, self._limits, allowance, self._plan())

    async def _take_of_sdk(
        self, request: web.Request, into: Sorted, size_bytes: int
    ) -> web.Response:
        await self._take(request, into, size_bytes)
        if into.rejected and not into.accepted and not into.untracked:
            raise _nothing_taken(into)
        return success()

    async def _take(self, request: web.Request, into: Sorted, size_bytes: int) -> None:
        """Returns once everything of a body is durable, what was quarantined too."""
        if self._links is not None and self._links.bars_tracking(request.headers):
            self._untracked.inc(into.leave_out_events())
        taken, rejected = len(into.inputs), len(into.rejected)
        request[TAKEN] = (taken, rejected)
        if not taken and not rejected:
            return
        await self._submit(into.hand_over(), into.quarantined, size_bytes)
        if taken:
            self._accepted.inc(taken)
        if rejected:
            self._rejected.inc(rejected)


def _nothing_taken(into: Sorted, more: dict[str, object] | None = None) -> Refusal:
    faults = into.faults
    message = f"none of {len(faults)} items could be taken"
    if len(faults) == 1:
        message = f"{faults[0].path}: {faults[0].message}"
    return Refusal(400, "item.invalid", message, faults=faults, more=more)
