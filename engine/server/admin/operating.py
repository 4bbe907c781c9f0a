"""What operators have a running process do: routes of the admin port that need its key.

Commands on this machine come by these routes too (`engine/cli/running.py`); what admits them is a
token of this run, which the data folder tells to whoever may read it. How long work answers is
`progress.py`'s.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from channels.tokens import Signer
from engine.core.intake.tracking_plan import TrackingPlan, no_plan
from engine.runtime.admin.overview import Overview
from engine.runtime.beside import Beside
from engine.runtime.clock import Clock, monotonic_ns
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.erasing import Erasing
from engine.runtime.processor import Processor
from engine.runtime.reloading import Reloading
from engine.runtime.shell import Shell
from engine.server.admin.bulk import bulk_handler
from engine.server.admin.diffing import diff_handler
from engine.server.admin.importing import import_handler
from engine.server.admin.looking import looking_handlers
from engine.server.admin.progress import tell_long
from engine.server.admin.reloading import reload_handler
from engine.server.admin.simulating import simulating_handlers
from engine.server.answers import Refusal
from engine.server.forms import read_form
from engine.server.keys import BEARER
from engine.server.rates import BadKeys
from engine.store import Store
from engine.store.backup import back_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler


class House(msgspec.Struct, frozen=True, eq=False):
    """The state of a running process, and what may be done with it; `stopping` as it drains."""

    store: Store
    shell: Shell
    processor: Processor
    clock: Clock
    erasing: Erasing
    reloading: Reloading | None
    stopping: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    signer: Signer | None = None
    overview: Overview | None = None
    tracking_plan: Callable[[], TrackingPlan | None] = no_plan
    dispatcher: Dispatcher | None = None


class Operating(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Who may operate, and on what.

    Attributes:
        keys: What admits: the admin key, and the token of this run.
        house: None while the process starts.
        bad: Counts wrong keys by address.
    """

    keys: tuple[str, ...]
    house: Callable[[], House | None]
    bad: BadKeys = msgspec.field(default_factory=lambda: BadKeys(monotonic_ns, "key"))


class BackupAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /api/backup`.

    Attributes:
        path: Absolute, on this machine.
        force: Whether it may take the place of a file that is there.
    """

    path: str
    force: bool = False


def operating_handlers(operating: Operating) -> Mapping[str, Mapping[str, Handler]]:
    """By method, the routes and their handlers; each asks for a key."""

    async def backup(request: web.Request) -> web.StreamResponse:
        house = enter(request, operating)
        asked = await read_form(request, BackupAsked)
        path = Path(asked.path)
        if not path.is_absolute() or "\0" in asked.path:
            message = "the path of a backup on this machine is absolute, as /backups/shop.db"
            raise Refusal(400, "backup.place", message)
        return await tell_long(
            request,
            lambda told: back_up(
                house.store,
                path,
                house.clock.now_ms(),
                force=asked.force,
                on_progress=told,
            ),
        )

    admit = partial(enter, operating=operating)
    beside = partial(_beside, Beside())
    take_history = import_handler(admit)
    routes = {
        "/api/backup": backup,
        "/api/import": take_history,
        "/api/trigger": bulk_handler(admit),
    }
    of_shops = {"/api/reload": reload_handler(admit), "/api/diff": diff_handler(admit)}
    return {
        "GET": looking_handlers(admit, beside),
        "POST": {**routes, **of_shops, **simulating_handlers(admit, beside)},
    }


def is_said(said: bytes, key: str) -> bool:
    """Whether an `Authorization` header says a key; how long that takes tells nothing of it."""
    return hmac.compare_digest(said, (BEARER + key).encode())


def _beside(own: Beside, house: House) -> Beside:
    """What does long work: the one that pages have it done by too, where there are any."""
    return own if house.overview is None else house.overview.studies.beside


def enter(request: web.Request, operating: Operating) -> House:
    """The house, for whoever has a key of it. Raises Refusal for all others, and while it starts.

    Asked of this machine too: another user of it is nobody to this process.
    """
    said = request.headers.get("Authorization", "").encode("utf-8", "replace")
    admin, *of_run = [bool(key) and is_said(said, key) for key in operating.keys]
    if not any(of_run):  # nobody guesses that one: it is drawn anew in each run
        operating.bad.bar(request)
        if not admin:
            if said:
                operating.bad.note(request)
            challenge = {"WWW-Authenticate": "Bearer"}
            message = "the admin key is needed, as a Bearer token"
            raise Refusal(401, "key.unknown", message, headers=challenge)
    house = operating.house()
    if house is None:
        headers = {"Retry-After": "1"}
        message = "the process is starting or stopping; ask again in a moment"
        raise Refusal(503, "not_ready", message, headers=headers)
    return house
