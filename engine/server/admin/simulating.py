"""`POST /api/simulate`, `POST /api/backtest`: a shop in virtual time, in a process beside."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from channels.base import CHANNEL_IDS
from config import ContentInvalid, ShopInvalid, decode_content, encode_content, load_shop
from engine.core.instants import parse_instant_ms
from engine.runtime.aside import aside
from engine.runtime.errands import (
    DAYS_MAX,
    RECORDS_MAX,
    Archive,
    BacktestErrand,
    SimulateErrand,
)
from engine.server.admin.progress import NDJSON, tell_long
from engine.server.admin.reloading import shop_refused
from engine.server.answers import RETRY_AFTER_S, Refusal
from engine.server.forms import decode_form
from engine.store import past

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.runtime.beside import Beside
    from engine.runtime.errands import Errand
    from engine.server.admin.operating import House

BODY_MAX_BYTES: Final = 2 << 20
"""Of events that are sent along, and a shop: more is for `hairspring simulate`."""

DAYS_USUAL: Final = 7

_DAY_MS: Final = 86_400_000
_SEED_MAX: Final = (1 << 63) - 1


class _OfShop(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which shop: the running one, unless a whole one or some of its files are given.

    Attributes:
        shop: Its content, as `/api/diff` takes it.
        files: By path, texts that take the place of those of the running shop; null: it is gone.
        records: How many records are told one by one.
    """

    shop: msgspec.Raw = msgspec.Raw(b"")
    files: dict[str, str | None] = {}
    records: int = 0


class SimulateAsked(_OfShop, kw_only=True):
    """The body of `POST /api/simulate`: over events, or over days of the archive."""

    events: msgspec.Raw = msgspec.Raw(b"")
    days: int = 0
    until: str | int | None = None
    fail: dict[str, float] = {}
    seed: int = 0


class BacktestAsked(_OfShop, kw_only=True):
    """The body of `POST /api/backtest`."""

    campaign: str = ""
    days: int = DAYS_USUAL


def simulating_handlers(
    enter: Callable[[web.Request], House], beside: Callable[[House], Beside]
) -> Mapping[str, Handler]:
    """The routes' handlers; `enter` admits who may operate, `beside` does the work."""

    async def simulate(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        body = await _body(request)
        asked = _simulate_asked(request, body)
        until_ms = _checked(asked)
        errand = SimulateErrand(
            content=await content_of(house, asked.files, bytes(asked.shop)),
            archive=archive_of(house, asked.days) if asked.days else None,
            until_ms=until_ms,
            failing=asked.fail,
            seed=asked.seed,
            records=asked.records,
        )
        return await have_done(request, beside(house), errand, bytes(asked.events))

    async def backtest(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        asked = decode_form(await _body(request) or b"{}", BacktestAsked)
        _bounded("days", asked.days, 1, DAYS_MAX)
        _bounded("records", asked.records, 0, RECORDS_MAX)
        content = await content_of(house, asked.files, bytes(asked.shop))
        if (
            asked.campaign
            and asked.campaign not in house.processor.plan.campaigns
            and not (asked.files or asked.shop)
        ):
            message = f"there is no campaign {asked.campaign[:100]!r}"
            raise Refusal(404, "campaign.unknown", message)
        errand = BacktestErrand(
            content=content,
            archive=archive_of(house, asked.days),
            campaign=asked.campaign,
            records=asked.records,
        )
        return await have_done(request, beside(house), errand)

    return {"/api/simulate": simulate, "/api/backtest": backtest}


async def have_done(
    request: web.Request, beside: Beside, errand: Errand, body: bytes = b""
) -> web.StreamResponse:
    """Have an errand done, and tell how it comes along. Raises Refusal while too many wait."""
    if beside.is_full:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        message = "others have asked for long work, too; ask again when some of it is done"
        raise Refusal(503, "busy", message, headers=headers)
    return await tell_long(request, lambda told: beside.do(errand, told, body))


def archive_of(house: House, days: int, from_ms: int | None = None) -> Archive:
    """The last days of what is kept, up to now; or all since an instant."""
    until_ms = max(house.processor.now_ms, house.clock.now_ms())
    return Archive(
        path=str(house.store.path.absolute()),
        keep_ms=house.store.keep_ms,
        from_ms=until_ms - days * _DAY_MS if from_ms is None else from_ms,
        until_ms=until_ms,
    )


async def _body(request: web.Request) -> bytes:
    body = await request.read()
    if len(body) > BODY_MAX_BYTES:
        message = (
            f"the body is over {BODY_MAX_BYTES >> 20} MiB; have `hairspring simulate` do it, "
            "which takes a file of any size"
        )
        raise Refusal(413, "body.too_large", message)
    return body


def _simulate_asked(request: web.Request, body: bytes) -> SimulateAsked:
    """What is asked for; events alone are run by the running shop."""
    if request.content_type == NDJSON or body.lstrip()[:1] == b"[":
        return SimulateAsked(events=msgspec.Raw(body))
    return decode_form(body or b"{}", SimulateAsked)


def _checked(asked: SimulateAsked) -> int | None:
    """The last instant. Raises Refusal for what cannot be meant."""
    if bool(bytes(asked.events)) == bool(asked.days):
        message = 'say what to run it over: "events", or "days" of the archive'
        raise Refusal(400, "body.invalid", message)
    if asked.days:
        _bounded("days", asked.days, 1, DAYS_MAX)
    _bounded("records", asked.records, 0, RECORDS_MAX)
    _bounded("seed", asked.seed, 0, _SEED_MAX)
    for channel, share in asked.fail.items():
        if channel not in CHANNEL_IDS:
            known = ", ".join(CHANNEL_IDS)
            message = f"fail: {channel[:100]!r} is no channel; there are {known}"
            raise Refusal(400, "body.invalid", message)
        if not 0.0 <= share <= 1.0:
            raise Refusal(400, "body.invalid", f"fail.{channel} is a share from 0.0 to 1.0")
    if asked.until is None:
        return None
    try:
        return parse_instant_ms(str(asked.until))
    except ValueError as error:
        raise Refusal(400, "body.invalid", f"until: {error}") from error


def _bounded(name: str, said: int, least: int, most: int) -> None:
    if not least <= said <= most:
        message = f"{name} is a whole number from {least} to {most}"
        raise Refusal(400, "body.invalid", message)


async def content_of(house: House, files: Mapping[str, str | None], content: bytes = b"") -> str:
    """The content of the shop that is meant, checked where it is not the running one.

    Args:
        house: Whose shop is the running one.
        files: What takes the place of those of the running shop, or of `content`; None: it is gone.
        content: A whole other shop; b"": the running one.

    Raises:
        Refusal: It has faults, or is none.
    """
    try:
        if not content:
            content = await content_in_force(house)
            if not files:
                return content.decode()
        # On a thread: reading some hundred campaigns takes longer than a deadline may.
        return await aside(partial(_edited, content, files))
    except ShopInvalid as invalid:
        raise shop_refused(invalid) from invalid
    except ContentInvalid as invalid:
        raise Refusal(400, "body.invalid", invalid.message) from invalid


async def content_in_force(house: House) -> bytes:
    """The running shop's own. Raises Refusal where it is kept nowhere."""
    await house.shell.durable()  # the plan in force is in the store then
    plan_id = house.processor.plans.bare.id
    stored = await house.store.read(partial(past.contents, ids=[plan_id]))
    if plan_id not in stored:
        raise Refusal(409, "shop.unknown", "the shop in force is kept nowhere; send one")
    return stored[plan_id]


def _edited(content: bytes, files: Mapping[str, str | None]) -> str:
    texts = decode_content(content)
    for path, text in files.items():
        if text is None:
            texts.pop(path, None)
        else:
            texts[path] = text
    load_shop(texts, env=os.environ)  # for its faults
    return encode_content(texts).decode()
