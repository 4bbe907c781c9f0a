"""A user with a message whose links are followed, at a server's door."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from channels.links import LinkFacts, short_id
from channels.tokens import pack_facts
from engine.core.inputs import ConsentStated, EventReceived, MessageAnswered

if TYPE_CHECKING:
    from channels.tokens import Purpose
    from tests.server.house import Answer, House

ID = "0123456789abcdef" * 2
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
APPLE = "Mozilla/5.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
HOUR = 3_600_000


class Reader:
    """Follows links of one message to a user."""

    def __init__(self, house: House, user_id: str = "u") -> None:
        self.house = house
        self.user_id = user_id

    async def exists(self, **traits: Any) -> None:
        body = {"type": "identify", "user_id": self.user_id, "traits": traits}
        answer = await self.house.post("/events", body)
        assert answer.status == 200, answer.text

    def token(
        self, purpose: Purpose, about: str = "", *, message: str = ID, expires_in: int = HOUR
    ) -> str:
        now_ms = self.house.clock.now_ms()
        facts = LinkFacts(
            self.user_id, short_id(message), "email", "cart", short_id(ID), "first", "t", "a",
            now_ms - HOUR, about,
        )  # fmt: skip
        return self.house.links._links.signer.sign(purpose, pack_facts(facts), now_ms + expires_in)

    async def get(
        self, route: str, purpose: Purpose, about: str = "", agent: str = BROWSER, **options: Any
    ) -> Answer:
        message = options.pop("message", ID)
        path = route.format(self.token(purpose, about, message=message))
        headers = {"User-Agent": agent, **options.pop("headers", {})}
        return await self.house.get(path, headers=headers, allow_redirects=False, **options)

    async def open(self, agent: str = BROWSER, **options: Any) -> Answer:
        return await self.get("/o/{}.gif", "open", "", agent, **options)

    async def click(
        self, address: str = "https://shop.example/", agent: str = BROWSER, **options: Any
    ) -> Answer:
        return await self.get("/c/{}", "click", address, agent, **options)

    async def post(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> Answer:
        body = urlencode(form or {}, doseq=True)
        sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self.house.post(path, body, headers=sent)

    async def told(self) -> list[tuple[str, str]]:
        """What was done, and why it is thought a machine's, once all that is held was taken."""
        await self.house.links.engagement.aclose()
        return [(i.answer, i.machine) for i in self.house.inputs if isinstance(i, MessageAnswered)]

    @property
    def stated(self) -> list[tuple[str, dict[str, bool], dict[str, bool]]]:
        return [
            (i.source, i.channels, i.topics)
            for i in self.house.inputs
            if isinstance(i, ConsentStated)
        ]


def forms(page: str) -> list[tuple[str, str, bool]]:
    """The boxes of a page: name, value, whether it is ticked."""
    found = re.findall(
        r'<input type="checkbox" name="([^"]+)" value="([^"]+)"( checked)?>', unescape(page)
    )
    return [(name, value, bool(ticked)) for name, value, ticked in found]


def given(reader: Reader) -> list[object]:
    """Answers to surveys that came."""
    return [
        msgspec.json.decode(one.properties)["value"]
        for one in reader.house.inputs
        if isinstance(one, EventReceived) and one.name == "Feedback Given"
    ]
