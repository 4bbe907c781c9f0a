"""What was asked before a port closes is read to its end and answered; nothing behind it is."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from engine.core.inputs import EventReceived
from tests.server.house import KEY
from tests.server.waiting import until

if TYPE_CHECKING:
    from tests.server.house import House

HEAD = f"Host: x\r\nAuthorization: Bearer {KEY}\r\n"
EVENT = b'{"user_id": "ada", "event": "Paid"}'
SIZED = f"POST /events HTTP/1.1\r\n{HEAD}Content-Length: {len(EVENT)}\r\n\r\n".encode()
CHUNKED = f"POST /events HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Client:
    """A connection, and the closing of its port while it sends."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def say(self, *said: bytes, requests: int = 1) -> None:
        """Begin; returns once so many requests are there, as far as they are sent."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.house.site.port)
        self.writer.writelines(said)
        connections = self.house.site._connections
        await until(lambda: connections.open != {})
        (self.ours,) = connections.open
        await until(lambda: self.ours._request_count == requests)

    async def close_port(self, within_s: float = 60) -> asyncio.Task[None]:
        """Begin to close the port."""
        closing = asyncio.create_task(self.house.site.aclose(within_s))
        await until(lambda: self.house.site._connections.draining)
        return closing

    async def hear(self) -> list[tuple[int, str]]:
        """Status and head of all answers, up to the end of the connection."""
        async with asyncio.timeout(10):
            said = (await self.reader.read()).decode()
        self.writer.close()
        heads = re.findall(r"HTTP/1\.1 (\d{3}) [^\r]*\r\n(.*?)\r\n\r\n", said, re.DOTALL)
        return [(int(status), head) for status, head in heads]


def taken(house: House) -> list[str]:
    return [one.name for one in house.inputs if isinstance(one, EventReceived)]


@pytest.mark.parametrize(
    ("first", "parts"),
    [
        (SIZED, [EVENT]),
        (SIZED + EVENT[:9], [EVENT[9:20], EVENT[20:]]),
        (CHUNKED, [b"%x\r\n" % len(EVENT), EVENT, b"\r\n0\r\n\r\n"]),
    ],
)
async def test_a_body_that_comes_in_while_a_port_closes_is_taken(
    house: House, first: bytes, parts: list[bytes]
) -> None:
    client = Client(house)
    await client.say(first)
    closing = await client.close_port()
    for part in parts:
        client.writer.write(part)
        await asyncio.sleep(0)
    ((status, head),) = await client.hear()
    await closing

    assert (status, taken(house)) == (200, ["Paid"])
    assert "Connection: close" in head


async def test_whatever_was_asked_in_a_row_is_answered(house: House) -> None:
    house.store.gate.clear()
    client = Client(house)
    await client.say(SIZED + EVENT + HEALTH + SIZED + EVENT[:5], requests=3)
    closing = await client.close_port()
    client.writer.write(EVENT[5:])
    house.store.gate.set()
    answers = await client.hear()
    await closing

    assert [status for status, _ in answers] == [200, 200, 200]
    assert ["Connection: close" in head for _, head in answers] == [False, False, True]
    assert taken(house) == ["Paid", "Paid"]


async def test_what_is_asked_behind_that_is_not_taken(house: House) -> None:
    house.store.gate.clear()
    client = Client(house)
    await client.say(SIZED + EVENT)
    closing = await client.close_port()
    client.writer.write(SIZED + EVENT)
    await asyncio.sleep(0)
    house.store.gate.set()
    ((status, _),) = await client.hear()
    await closing

    assert (status, taken(house)) == (200, ["Paid"])


@pytest.mark.parametrize("said", [SIZED + EVENT[:9], SIZED + EVENT])
async def test_who_is_not_done_in_time_hears_that_it_is_to_be_sent_again(
    house: House, said: bytes
) -> None:
    house.store.gate.clear()
    client = Client(house)
    await client.say(said)
    await (await client.close_port(0.05))
    ((status, head),) = await client.hear()

    assert status == 503
    assert "Retry-After: 1" in head
    assert "Connection: close" in head


async def test_a_refused_body_is_read_on_while_a_port_closes(house: House) -> None:
    """Or its client would not see why it was refused."""
    client = Client(house)
    await client.say(SIZED.replace(b"/events", b"/nothing"))
    closing = await client.close_port()
    client.writer.write(EVENT)
    ((status, _),) = await client.hear()
    await closing

    assert status == 404
