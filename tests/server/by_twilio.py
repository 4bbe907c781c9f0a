"""A process whose SMS go by Twilio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import msgspec

from channels.registry import SmsSettings
from engine.core.inputs import UserIdentified
from engine.runtime.admin.owners import Owners
from engine.server.doors import ChannelDoors
from engine.server.twilio import SIGNATURE, TwilioDoor, signature
from tests.server.house import Answer, House

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "12345"
SHOP = "https://shop.example"
PATH = "/webhooks/twilio"


class Open(House):
    """A house that Twilio may call."""

    def door(self, **settings: Any) -> TwilioDoor:
        return TwilioDoor(
            settings=SmsSettings(transport="twilio", auth_token=TOKEN, **settings),
            shop_url=SHOP,
            submit=self.shell.submit,
            now_ms=self.clock.now_ms,
            find=self.processor.find,
            owners=Owners(self.processor, "sms").of,
            metrics=self.metrics,
            monotonic_ns=lambda: self.monotonic_ns,
        )

    async def call(
        self, address: str = SHOP + PATH, *, signed: str | None = None, **fields: str
    ) -> Answer:
        form = list(fields.items())
        given = signature(TOKEN, address, form) if signed is None else signed
        headers = {SIGNATURE: given, "Content-Type": "application/x-www-form-urlencoded"}
        return await self.post(address.removeprefix(SHOP), urlencode(form), headers=headers)

    async def knows(self, user: str, **traits: Any) -> None:
        now_ms = self.clock.now_ms()
        raw = msgspec.Raw(msgspec.json.encode(traits))
        await self.shell.submit([UserIdentified(user, now_ms, now_ms, raw)])


class Late:
    """The door of a house that is being built."""

    def __init__(self) -> None:
        self.doors: list[TwilioDoor] = []

    def routes(self) -> Any:
        async def take(request: Any) -> Any:
            return await self.doors[0].take(request)

        return {PATH: {"POST": take}}


async def opened(path: Path, **settings: Any) -> Open:
    late = Late()
    house = await Open.start(path, channels=ChannelDoors(twilio=cast("TwilioDoor", late)))
    late.doors.append(house.door(**settings))
    return house
