"""What operators do about consent: who is suppressed, a yes or no that came otherwise, a token."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from channels.base import CHANNEL_IDS
from engine.core.guardrails import address_of
from engine.core.inputs import ConsentStated
from engine.core.instants import format_instant
from engine.core.people.consents import proofs
from engine.runtime.clock import wall_ms
from engine.server.admin.users import unknown_user
from engine.server.answers import Refusal, answer_json
from engine.server.forms import read_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.core.state import User
    from engine.server.admin.operating import House

SUPPRESSED_MAX: Final = 10_000
"""Addresses that one answer lists."""

LOOKED_AT_ONCE: Final = 500
"""Users who are looked at before the loop turns."""

TOKEN_FOR_S: Final = 3_600
TOKEN_FOR_S_MAX: Final = 30 * 86_400


class ConsentAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /api/users/{id}/consent`; `source` says how it came, for the proof."""

    source: str = "operator"
    channels: dict[str, bool] = {}
    topics: dict[str, bool] = {}
    suppressed: dict[str, bool] = {}


class TokenAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /api/users/{id}/token`: for how many seconds it is good."""

    expires_in: int = TOKEN_FOR_S


def consent_handlers(enter: Callable[[web.Request], House]) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def suppressed(request: web.Request) -> web.StreamResponse:
        found = await _suppressed(enter(request))
        return answer_json({"count": len(found), "suppressed": found[:SUPPRESSED_MAX]})

    async def state(request: web.Request) -> web.StreamResponse:
        house, user_id = enter(request), request.match_info["id"]
        asked = await read_form(request, ConsentAsked)
        for channel in (*asked.channels, *asked.suppressed):
            if channel not in CHANNEL_IDS:
                message = f"{channel[:50]!r} is no channel; these are: {', '.join(CHANNEL_IDS)}"
                raise Refusal(400, "body.invalid", message)
        user = house.processor.find(user_id)
        if user is None:
            raise unknown_user(user_id)
        now_ms = house.clock.now_ms()
        said: dict[str, Any] = msgspec.structs.asdict(asked)
        source = said.pop("source")
        stated = [ConsentStated(user.user_id, source, now_ms, now_ms, **said)]
        stated += [
            ConsentStated(other, source, now_ms, now_ms, suppressed={channel: False})
            for channel, is_bad in asked.suppressed.items()
            for other in ([] if is_bad else _others_barred(house, user, channel))
        ]
        await house.shell.submit(stated)
        return answer_json({"consent": user.traits.get("consent"), "suppressed": user.suppressed})

    async def token(request: web.Request) -> web.StreamResponse:
        house, user_id = enter(request), request.match_info["id"]
        asked = await read_form(request, TokenAsked)
        if not 1 <= asked.expires_in <= TOKEN_FOR_S_MAX or house.signer is None:
            message = f"expires_in is from 1 to {TOKEN_FOR_S_MAX} seconds"
            raise Refusal(400, "body.invalid", message)
        # Of the wall clock, which it is held against: in a demo the shop's runs ahead of it.
        expires_at_ms = wall_ms() + asked.expires_in * 1_000
        said = house.signer.sign_user(user_id, expires_at_ms)
        return answer_json({"token": said, "expires_at": format_instant(expires_at_ms)})

    return {
        "/api/suppressed": {"GET": suppressed},
        "/api/users/{id}/consent": {"POST": state},
        "/api/users/{id}/token": {"POST": token},
    }


def _others_barred(house: House, user: User, channel: str) -> list[str]:
    """Who else keeps it that nothing goes to a user's address, which is freed for all of them."""
    address = user.suppressed.get(channel) or address_of(user, channel)
    users = house.processor.barred.whose(channel, address) if isinstance(address, str) else []
    return [other for other in users if other != user.user_id]


async def _suppressed(house: House) -> list[dict[str, str]]:
    """All addresses that nothing goes to, while the loop turns. O(users)."""
    found: dict[str, list[dict[str, str]]] = {}
    for some in house.processor.users.slices(LOOKED_AT_ONCE):
        await asyncio.sleep(0)
        found.update((user.user_id, _told(user)) for user in some if user.suppressed)
    return [*chain.from_iterable(found.values())]


def _told(user: User) -> list[dict[str, str]]:
    """Each address of his that nothing goes to, with how and when that came about."""
    came = {what: (at_ms, source) for at_ms, what, yes, source in proofs(user) if not yes}
    told = []
    for channel, address in user.suppressed.items():
        at_ms, source = came.get(f"address:{channel}", (0, ""))
        line = {"user_id": user.user_id, "channel": channel, "address": address, "source": source}
        told.append(line | ({"at": format_instant(at_ms)} if at_ms else {}))
    return told
