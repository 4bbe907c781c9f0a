"""Bodies: gzip, sizes, slowness."""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from engine.server import Limits
from tests.server.house import BEARER, KEY, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GOOD = b'{"user_id":"u1","event":"E"}'
GZIP = {**BEARER, "Content-Encoding": "gzip"}


@pytest.mark.parametrize("headers", [BEARER, GZIP], ids=["sniffed", "said"])
@pytest.mark.parametrize("route", ["/events", "/v1/batch"])
async def test_gzip_is_unpacked(house: House, headers: dict[str, str], route: str) -> None:
    body = GOOD if route == "/events" else b'{"batch":[{"type":"track","userId":"u","event":"E"}]}'
    answer = await house.post(route, gzip.compress(body, mtime=0), headers=headers)

    assert answer.status == 200
    assert len(house.inputs) == 1


async def test_what_a_proxy_has_unpacked_already_is_taken(house: House) -> None:
    answer = await house.post("/events", GOOD, headers=GZIP)

    assert answer.status == 200


async def test_members_of_a_gzip_body_are_one_body(house: House) -> None:
    body = gzip.compress(GOOD[:10], mtime=0) + gzip.compress(GOOD[10:]) + b"\0\0"
    answer = await house.post("/events", body)

    assert answer.status == 200


@pytest.mark.parametrize("route", ["/events", "/v1/batch"])
async def test_a_gzip_bomb_is_too_large(house: House, route: str) -> None:
    bomb = gzip.compress(b" " * 300_000_000, 9, mtime=0)

    assert len(bomb) < 400_000
    assert (await house.post(route, bomb)).status == 413


async def test_the_limit_holds_for_the_inflated_size_to_the_byte(house: House) -> None:
    whole = GOOD + b" " * ((1 << 20) - len(GOOD))

    assert (await house.post("/events", gzip.compress(whole, mtime=0))).status == 200
    assert (await house.post("/events", gzip.compress(whole + b" ", mtime=0))).status == 413


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(GOOD, mtime=0)[:-9],
        gzip.compress(GOOD, mtime=0)[:12],
        b"\x1f\x8b",
        gzip.compress(GOOD, mtime=0)[:-8] + b"\0" * 8,
        gzip.compress(GOOD, mtime=0) + b"garbage",
        gzip.compress(b"", mtime=0) * 17,
        b"\x1f\x8b" + zlib.compress(GOOD),
    ],
    ids=["cut", "cut early", "magic alone", "wrong sum", "trailed", "many members", "zlib"],
)
async def test_a_broken_gzip_body_is_refused(house: House, body: bytes) -> None:
    answer = await house.post("/events", body)

    assert answer.status == 400
    assert answer.json["code"] == "body.gzip"


@pytest.mark.parametrize("route", ["/events", "/v1/track"])
async def test_a_body_over_the_limit_is_refused(house: House, route: str) -> None:
    answer = await house.post(route, io.BytesIO(b" " * ((1 << 20) + 1)))

    assert answer.status == 413
    assert answer.json["code"] == "body.too_large"
    assert "server.body_max" in answer.text


async def test_a_body_of_unknown_length_is_bounded_too(house: House) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536
            await asyncio.sleep(0)

    answer = await house.post("/events", chunks())

    assert answer.status == 413


@pytest.fixture
async def brisk(tmp_path: Path) -> AsyncIterator[House]:
    started = await House.start(tmp_path, Limits(body_within_s=0.05))
    yield started
    await started.aclose()


async def converse(house: House, said: bytes) -> bytes:
    """What the server answers to bytes on a socket, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.site.port)
    writer.write(said)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_body_that_does_not_come_is_cut(brisk: House) -> None:
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    answer = await converse(brisk, head.encode() + b"Content-Length: 100\r\n\r\n{")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body.slow" in answer
    assert brisk.inputs == []


async def test_a_body_that_breaks_its_framing_is_refused(brisk: House) -> None:
    head = (
        f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", brisk.site.port)
    writer.write(head.encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"zz\r\n")
    answer = await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()

    # aiohttp's parser in C does not tell the reader of the body: it waits until it is cut.
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 "))
    assert brisk.inputs == []


@pytest.mark.parametrize("nested", [b"[" * 100_000, b"[" * 2000 + b"]" * 2000])
async def test_nesting_without_end_is_refused(house: House, nested: bytes) -> None:
    answer: Any = await house.post("/events", b'{"user_id":"u","event":"E","a":' + nested + b"}")

    assert answer.status == 400
    assert house.inputs == []


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/events", BOM + GOOD),
        ("/events", gzip.compress(BOM + GOOD, mtime=0)),
        ("/events", BOM + b"[" + GOOD + b"]"),
        ("/events", BOM + GOOD + b"\n" + GOOD),
        ("/v1/track", BOM + GOOD),
        ("/v1/batch", BOM + b'{"batch":[{"type":"track","userId":"u","event":"E"}]}'),
        ("/v1/batch", BOM + b'{"writeKey":"a-write-key","batch":[' + GOOD + b"]}"),
    ],
)
async def test_a_byte_order_mark_is_no_fault(house: House, route: str, body: bytes) -> None:
    headers = {} if b"writeKey" in body else BEARER
    answer = await house.post(route, body, headers=headers)

    assert answer.status == 200
    assert house.quarantined == []
    assert len(house.inputs) >= 1


async def test_a_byte_order_mark_alone_is_an_empty_body(house: House) -> None:
    answer = await house.post("/events", BOM)

    assert (answer.status, answer.json["code"]) == (400, "body.empty")
    assert [fault["path"] for fault in answer.json["errors"]] == ["$"]


async def test_utf_16_is_named(house: House) -> None:
    answer = await house.post("/events", GOOD.decode().encode("utf-16"))

    assert (answer.status, answer.json["detail"]) == (400, "the body is UTF-16; send UTF-8")


DEEP = b"[" * 10_000 + b"]" * 10_000
HOSTILE = {
    "not a number": b'{"user_id":"u","event":"E","properties":{"a":NaN}}',
    "infinite": b'{"user_id":"u","event":"E","properties":{"a":1e999}}',
    "long integer": b'{"user_id":"u","event":"E","properties":{"a":' + b"9" * 5000 + b"}}",
    "longer integer": b'{"user_id":"u","event":"E","properties":{"a":' + b"9" * 900_000 + b"}}",
    "integer user": b'{"event":"E","user_id":' + b"9" * 5000 + b"}",
    "instant": b'{"user_id":"u","event":"E","timestamp":' + b"9" * 5000 + b"}",
    "instant beyond time": b'{"user_id":"u","event":"E","timestamp":1e308}',
    "long key": b'{"user_id":"u","event":"E","properties":{"' + b"k" * 1_000_000 + b'":1}}',
    "deep": b'{"user_id":"u","event":"E","properties":{"a":'
    + b"[" * 10_000
    + b"]" * 10_000
    + b"}}",
    "deep in what nobody asks for": b'{"user_id":"u","event":"E","x":' + b'{"a":' * 10_000,
    "no utf-8": b'{"user_id":"u","event":"E","properties":{"\xff":1}}',
    "half a character": b'{"user_id":"u","event":"E","properties":{"a":"\xed\xa0\x80"}}',
}


@pytest.mark.parametrize("route", ["/events", "/v1/track", "/v1/batch"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_body_is_refused_with_its_reason(
    house: House, route: str, name: str
) -> None:
    body = HOSTILE[name]
    answer = await house.post(route, b'{"batch":[' + body + b"]}" if "batch" in route else body)

    assert answer.status == 400
    assert answer.json["code"] in {"body.malformed", "item.invalid"}
    assert house.inputs == []
    assert [line for line in house.lines.entries if line["log_level"] == "error"] == []
