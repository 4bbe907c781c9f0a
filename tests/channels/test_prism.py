"""Against Stoplight Prism with Twilio's own OpenAPI document: a mock that nobody here wrote.

`make prism` puts both beside the environment, from npm; without them these tests skip.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest

from channels.base import Accepted, Rejected
from channels.registry import SmsSettings, build_channels
from tests.channels.providers import ACCOUNT, AT_MS, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channels.base import Channel

NPM = Path(sys.prefix) / "npm"
PRISM = NPM / "node_modules/.bin/prism"
DOCUMENT = NPM / "twilio_api_v2010.json"

pytestmark = pytest.mark.skipif(
    not (PRISM.exists() and DOCUMENT.exists()),
    reason="Prism or Twilio's OpenAPI document is missing: make prism gets them by npm",
)
SETTINGS = SmsSettings(
    transport="twilio", account_sid=ACCOUNT, auth_token="a-token", from_="+15005550006"
)
LISTENING = b"Prism is listening on "


@pytest.fixture(scope="module")
def of_messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of Twilio's document, what concerns messages: the whole of it takes Prism ten seconds."""
    document = msgspec.json.decode(DOCUMENT.read_bytes())
    route = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
    document["paths"] = {route: document["paths"][route]}
    path = tmp_path_factory.mktemp("prism") / "messages.json"
    path.write_bytes(msgspec.json.encode(document))
    return path


@pytest.fixture
async def url(of_messages: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        str(PRISM), "mock", "--errors", "-h", "127.0.0.1", "-p", "0", str(of_messages),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(60):
        while LISTENING not in said:
            said = await process.stdout.readline()
            assert said, "Prism ended before it listened"
    yield said.partition(LISTENING)[2].decode().split()[0].strip()
    process.terminate()
    await process.communicate()


async def deliver(url: str, **changes: object) -> object:
    settings = msgspec.structs.replace(SETTINGS, base_url=url, **changes)
    built = build_channels(
        {"sms": settings}, data=Path(), now_ms=lambda: AT_MS, shop_url="https://shop.example"
    )
    channel: Channel = built["sms"]
    try:
        return await channel.deliver(
            message("sms", body="Ça va, 世界? 😀", expires_at_ms=AT_MS + 60_000)
        )
    finally:
        await channel.aclose()


async def test_twilios_own_document_takes_what_we_send(url: str) -> None:
    outcome = await deliver(url)
    assert isinstance(outcome, Accepted), outcome
    assert outcome.detail.startswith("SM")


async def test_it_takes_a_messaging_service_too(url: str) -> None:
    outcome = await deliver(url, from_="", messaging_service_sid="MG" + "a" * 32)
    assert isinstance(outcome, Accepted), outcome


async def test_it_does_refuse_what_is_not_as_the_document_says(url: str) -> None:
    wrong = await deliver(url, from_="", messaging_service_sid="no service")
    assert isinstance(wrong, Rejected)
    async with aiohttp.ClientSession() as session:
        address = f"{url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        async with session.post(address, data={"Body": "x"}) as answer:
            assert answer.status == 401  # without the account's login
