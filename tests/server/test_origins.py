"""Web pages of other origins: what a browser asks before, and what it may read behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from config.serving import WriteKey
from engine.server import Limits
from engine.server.origins import origin_of
from tests.server.house import KEY, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SHOP = "https://shop.example"
CALL = {"userId": "u1", "event": "E"}


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[House]:
    """A server's key is for no page, a browser's for those of the shop."""
    keys = (WriteKey(key="server", origins=()), WriteKey(key=KEY, origins=(SHOP + "/",)))
    house = await House.start(tmp_path, Limits(), keys=keys)
    yield house
    await house.aclose()


def page(origin: str, key: str = KEY, **more: str) -> dict[str, str]:
    return {"Origin": origin, "Authorization": f"Bearer {key}", **more}


async def ask(house: House, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with house.client.options(house.site.url + path, headers=headers) as answer:
        return answer.status, answer.headers


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/t", "authorization"),  # Segment's analytics-next
        ("/v1/page", "anonymousid,authorization,content-type,sentat"),  # RudderStack's
        ("/v1/batch", "authorization,content-type"),
        ("/events", "content-type"),
    ],
)
async def test_a_browser_that_asks_before_it_sends_is_told_yes(
    house: House, path: str, asked: str
) -> None:
    status, headers = await ask(
        house,
        path,
        {
            "Origin": "http://localhost:8207",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    )

    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:8207"
    assert headers["Access-Control-Allow-Headers"] == asked
    assert headers["Access-Control-Allow-Methods"] == "POST"
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert headers["Vary"] == "Origin"


async def test_a_page_reads_refusals_too_and_when_to_come_again(tmp_path: Path) -> None:
    house = await House.start(tmp_path, Limits(rate=1, events_max=1))
    answers = [await house.post("/v1/track", CALL, headers=page(SHOP)) for _ in range(4)]
    await house.aclose()

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "Retry-After" in answers[-1].headers["Access-Control-Expose-Headers"]


async def test_what_asks_for_no_page_hears_nothing_of_pages(house: House) -> None:
    answer = await house.post("/v1/track", CALL)

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Vary" not in answer.headers


async def test_a_key_is_for_pages_of_its_own_origins_alone(guarded: House) -> None:
    own = await guarded.post("/v1/track", CALL, headers=page(SHOP))
    foreign = await guarded.post("/v1/track", CALL, headers=page("https://elsewhere.example"))
    of_server = await guarded.post("/v1/track", CALL, headers=page(SHOP, "server"))
    no_page = await guarded.post("/v1/track", CALL, headers={"Authorization": "Bearer server"})
    preflights = [
        (await ask(guarded, "/v1/track", {"Origin": origin}))[0]
        for origin in (SHOP, "https://elsewhere.example", "null")
    ]

    assert (own.status, no_page.status) == (200, 200)
    for refused in (foreign, of_server):
        assert (refused.status, refused.json["code"]) == (403, "origin.foreign")
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert preflights == [204, 403, 403]
    assert len(guarded.inputs) == 2
    assert (
        guarded.metrics.registry.get_sample_value(
            "hairspring_requests_refused_total", {"why": "origin"}
        )
        == 2
    )


async def test_an_origin_may_be_of_any_bytes(guarded: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.site.port)
    writer.write(b"OPTIONS /events HTTP/1.1\r\nHost: x\r\nOrigin: http://\xff\r\n\r\n")
    answered = await reader.readuntil(b"\r\n")
    writer.close()
    await writer.wait_closed()

    assert b" 403 " in answered


async def test_pages_start_no_campaigns_and_read_no_health(house: House) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}

    assert [(await ask(house, path, asked))[0] for path in ("/trigger", "/readyz")] == [405, 405]


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Shop.Example/path?q", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://shop.example:none", "https://shop.example:none"),
    ],
)
def test_origins_are_written_as_browsers_write_them(address: str, origin: str) -> None:
    assert origin_of(address) == origin
