"""The operator's port: health, metrics, and what operators have done (`operating`).

It answers to names that a hostile web page cannot claim (DNS rebinding): addresses, `localhost`
and the configured host. Whoever comes from another machine needs the admin key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from structlog.typing import FilteringBoundLogger

from engine.errors import HairspringError
from engine.runtime.clock import monotonic_ns
from engine.runtime.inbox import Unavailable
from engine.runtime.metrics import Metrics
from engine.server.admin.campaigns import campaign_handlers
from engine.server.admin.consents import consent_handlers
from engine.server.admin.deadletters import deadletter_handlers
from engine.server.admin.importing import PIECE_BYTES_MAX
from engine.server.admin.inferring import infer_handler
from engine.server.admin.operating import House, Operating, enter, is_said, operating_handlers
from engine.server.admin.outlook import outlook_handlers
from engine.server.admin.overruling import overruling_handlers
from engine.server.admin.quarantine import quarantine_handlers
from engine.server.admin.records import record_handlers
from engine.server.admin.templates import template_handlers
from engine.server.admin.users import user_handlers
from engine.server.answers import Refusal, in_one_line
from engine.server.clients import PROXIES, Proxies, is_of_this_machine
from engine.server.dashboard import Sessions, dashboard_handlers, refused
from engine.server.edge import Edge
from engine.server.health import health_handlers
from engine.server.machines import address_of
from engine.server.openapi import openapi_handlers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PORT = re.compile(r":\d+$", re.ASCII)


class AdminDoor(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the admin server stands on.

    Attributes:
        key: The admin key; "" admits nobody from another machine.
        host: `server.admin_host`, a name that requests may ask for.
        why_not_ready: What keeps the process from taking events, or "".
        metrics: What a scraper reads.
        log: One line a request.
        instance: Begins request ids; different in each run.
        operating: Who may operate, and on what.
        monotonic_ns: What wrong keys are counted against.
        proxies: Who is believed whom they ask for.
    """

    key: str
    host: str
    why_not_ready: Callable[[], str]
    metrics: Metrics
    log: FilteringBoundLogger
    instance: str
    operating: Operating
    monotonic_ns: Callable[[], int] = monotonic_ns
    proxies: Proxies = Proxies()


def make_admin_app(door: AdminDoor) -> web.Application:
    """The server that operators and scrapers ask."""

    async def metrics(request: web.Request) -> web.Response:
        if not is_of_this_machine(request):
            _ask_for_key(request, door)
        headers = {"Content-Type": METRICS_CONTENT_TYPE}
        return web.Response(body=door.metrics.render(), headers=headers)

    app = web.Application(client_max_size=PIECE_BYTES_MAX)
    app[PROXIES] = door.proxies
    edge = Edge(door.log, door.instance, page=refused)
    handlers = {"/metrics": metrics, **health_handlers(door.why_not_ready), **openapi_handlers()}
    edge.add_routes(
        app, "GET", {path: _guarded(handler, door) for path, handler in handlers.items()}
    )
    for method, operations in operating_handlers(door.operating).items():
        edge.add_routes(
            app,
            method,
            {path: _guarded(handler, door) for path, handler in operations.items()},
        )
    admit = partial(enter, operating=door.operating)
    pages = dashboard_handlers(door.key, door.instance, door.operating.house, door.monotonic_ns)
    for path, methods in {**_resources(admit), **pages}.items():
        edge.add_resource(
            app, path, {name: _guarded(handler, door) for name, handler in methods.items()}
        )
    edge.close(app)
    return app


def way_in(url: str, door: AdminDoor) -> str:
    """The dashboard's address that lets in whoever has it, without the key, until the run ends."""
    return f"{url}/sign-in?way-in={Sessions(door.key, door.instance).way_in()}"


def _resources(admit: Callable[[web.Request], House]) -> dict[str, Mapping[str, Handler]]:
    return {
        **campaign_handlers(admit),
        **template_handlers(admit),
        **record_handlers(admit),
        **user_handlers(admit),
        **overruling_handlers(admit),
        **consent_handlers(admit),
        **quarantine_handlers(admit),
        **deadletter_handlers(admit),
        **outlook_handlers(admit),
        "/api/plan/infer": {"GET": infer_handler(admit)},
    }


def _guarded(handler: Handler, door: AdminDoor) -> Handler:
    """The handler, for requests that ask for the port by a name of its own.

    Whoever operates is told what failed and what to do about it, as at the command line.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not is_own_name(request.headers.get("Host", ""), door.host):
            raise Refusal(
                403,
                "host.foreign",
                "this name is not one of the admin port's; ask for its address, "
                "or set server.admin_host",
            )
        try:
            return await handler(request)
        except (Refusal, Unavailable):
            raise
        except HairspringError as error:
            door.log.exception("operation.failed", code=error.code)
            raise Refusal(500, error.code, in_one_line(error)) from error

    return guarded


def is_own_name(host: str, own: str) -> bool:
    """Whether a Host header is an address, `localhost` or the configured name, any port."""
    name = host.rpartition(":")[0] if _PORT.search(host) else host
    name = name.strip("[]").lower()
    return name in {"localhost", own.lower()} or address_of(name) is not None


def _ask_for_key(request: web.Request, door: AdminDoor) -> None:
    """Raise Refusal unless a request of another machine has the admin key."""
    bad = door.operating.bad
    bad.bar(request)
    said = request.headers.get("Authorization", "").encode("utf-8", "replace")
    if door.key and is_said(said, door.key):
        return
    if said:
        bad.note(request)
    challenge = {"WWW-Authenticate": "Bearer"}
    message = "from another machine, or by a proxy, the admin key is needed, as a Bearer token"
    raise Refusal(401, "key.unknown", message, headers=challenge)
