"""Connections: how many, how slow, and what happens where the system has no file left."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from engine.server import Patience, listen
from engine.server.connections import READ_BYTES_MAX
from engine.server.leaving import LEAVING_MAX
from tests.server.house import KEY
from tests.server.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.server import Site
    from engine.server.connection import Connection
    from tests.server.house import House

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HURRY = Patience(head_s=0.05, write_s=0.05)
MEGABYTES = 8


async def answer(_: web.Request) -> web.Response:
    return web.Response(text="{}")


async def answer_much(_: web.Request) -> web.Response:
    return web.Response(body=b"." * (MEGABYTES << 20))


async def answer_back(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


def make_app() -> web.Application:
    app = web.Application(client_max_size=MEGABYTES << 20)
    app.router.add_post("/back", answer_back)
    app.router.add_get("/", answer)
    app.router.add_get("/much", answer_much)
    return app


@pytest.fixture
async def site(house: House) -> AsyncIterator[Site]:
    async with await listen(make_app(), "127.0.0.1", 0, log=house.log) as site:
        yield site


@pytest.fixture
async def narrow(house: House) -> AsyncIterator[Site]:
    """Two connections and no more."""
    async with await listen(make_app(), "127.0.0.1", 0, log=house.log, connections_max=2) as site:
        yield site


@pytest.fixture
async def hurried(house: House) -> AsyncIterator[Site]:
    async with await listen(make_app(), "127.0.0.1", 0, log=house.log, patience=HURRY) as site:
        yield site


async def fill(site: Site) -> list[asyncio.StreamWriter]:
    writers = [(await asyncio.open_connection("127.0.0.1", site.port))[1] for _ in range(2)]
    await until(lambda: site.open == 2)
    return writers


async def test_what_many_send_at_a_time_is_each_ones_own(site: Site) -> None:
    bodies = [letter * (2 * READ_BYTES_MAX + place) for place, letter in enumerate((b"a", b"b"))]
    opened = [await asyncio.open_connection("127.0.0.1", site.port) for _ in bodies]
    for (_, writer), body in zip(opened, bodies, strict=True):
        writer.write(b"POST /back HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
    for begins in range(0, 3 * READ_BYTES_MAX, READ_BYTES_MAX // 8):
        for (_, writer), body in zip(opened, bodies, strict=True):
            writer.write(body[begins : begins + READ_BYTES_MAX // 8])
            await writer.drain()

    for (reader, writer), body in zip(opened, bodies, strict=True):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(len(body)) == body
        writer.close()


async def test_one_connection_too_many_hears_so_at_once(narrow: Site) -> None:
    writers = await fill(narrow)
    reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
    writer.write(ASK)

    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/1.1 503 ")
    assert "Retry-After: 1\r\n" in head
    assert "Connection: close\r\n" in head
    assert "Content-Type: application/problem+json\r\n" in head
    assert "Server: hairspring\r\n" in head
    assert "X-Request-Id: " in head
    assert b"connections.full" in await reader.readuntil(b"}")
    assert narrow.open == 2
    for other in (writer, *writers):
        other.close()


async def test_a_place_that_is_given_back_is_taken(narrow: Site) -> None:
    first, second = await fill(narrow)
    first.close()
    await until(lambda: narrow.open == 1)

    reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
    writer.write(ASK)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    for other in (writer, second):
        other.close()


async def test_what_was_turned_away_is_not_open_for_long(narrow: Site) -> None:
    writers = await fill(narrow)
    reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)

    # It says nothing, reads nothing and does not close.
    await until(lambda: not narrow._connections.leaving and narrow.turned_away == 1)

    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    for other in (writer, *writers):
        other.close()


async def test_many_that_are_turned_away_are_counted_and_told_in_few_lines(
    narrow: Site, house: House
) -> None:
    writers = await fill(narrow)
    for _ in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
        writers.append(writer)
    await until(lambda: narrow.turned_away == 100)
    assert len(narrow._connections.leaving) <= LEAVING_MAX
    await narrow.aclose(0)

    lines = [one for one in house.lines.entries if one["event"] == "connections.turned_away"]
    # The first, and one in each second after it.
    assert lines[0]["so_far"] == 1
    assert len(lines) <= 5
    for writer in writers:
        writer.close()


async def last_said_to(site: Site, head: bytes) -> bytes:
    """All that a connection hears that says no more than this."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(head)
    said = await reader.read()
    writer.close()
    return said


async def test_a_head_that_does_not_come_to_its_end_is_cut_with_the_reason(hurried: Site) -> None:
    said = await last_said_to(hurried, b"GET / HTTP/1.1\r\nHost:")

    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"http.slow" in said
    assert hurried.cut == 1


async def test_bytes_that_trickle_in_win_no_time(hurried: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hurried.port)
    writer.write(b"GET / HTTP/1.1\r\nA: ")
    reading = asyncio.create_task(reader.read())
    async with asyncio.timeout(5):
        while not reading.done():
            writer.write(b"a")
            await asyncio.wait({reading}, timeout=0.01)

    assert reading.result().startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_who_is_cut_amid_his_head_reads_why_and_no_reset(hurried: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hurried.port)
    writer.write(b"GET / HTTP/1.1\r\nA: ")
    await until(lambda: any(one._begun for one in hurried._connections.open))
    (ours,) = hurried._connections.open
    assert ours._socket is not None
    ours._socket.pause_reading()
    writer.write(b"a" * 1000)  # a close that leaves it unread is a reset

    said = await reader.read()

    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"http.slow" in said
    assert not hurried.open
    writer.close()


async def test_whose_head_is_too_large_reads_why_while_he_still_sends_it(narrow: Site) -> None:
    said = await last_said_to(narrow, b"GET / HTTP/1.1\r\nA: " + b"a" * (MEGABYTES << 20))

    assert said.startswith(b"HTTP/1.1 431 ")
    assert b"http.head_too_large" in said
    assert not narrow.open


async def test_who_sends_without_an_end_after_his_last_answer_is_cut(narrow: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
    with suppress(ConnectionError):
        while True:
            writer.write(b"no HTTP " * 1000)
            await writer.drain()

    assert not narrow._connections.leaving
    assert not narrow.open
    reader.feed_eof()
    writer.close()


async def test_of_those_that_have_heard_their_last_few_are_open(narrow: Site) -> None:
    writers = []
    for _ in range(3 * LEAVING_MAX):
        reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
        writer.write(b"no HTTP at all\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        assert len(narrow._connections.leaving) <= LEAVING_MAX
        writers.append(writer)
    for writer in writers:
        writer.close()


async def test_the_second_head_has_its_limit_too(hurried: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hurried.port)
    writer.write(ASK)
    await reader.readuntil(b"{}")
    writer.write(b"GET /")

    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_who_says_nothing_is_closed_without_a_word(hurried: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hurried.port)

    assert await reader.read() == b""
    writer.close()


async def test_a_connection_between_two_requests_is_not_cut_for_its_head(hurried: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hurried.port)
    writer.write(ASK)
    await reader.readuntil(b"{}")
    # Whoever is cut in the meantime has waited longer than it may.
    other, other_writer = await asyncio.open_connection("127.0.0.1", hurried.port)
    assert await other.read() == b""

    writer.write(ASK)

    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    other_writer.close()


async def test_an_idle_connection_is_closed(house: House) -> None:
    patience = Patience(idle_s=0.05)
    async with await listen(make_app(), "127.0.0.1", 0, log=house.log, patience=patience) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(ASK)
        await reader.readuntil(b"{}")

        assert await reader.read() == b""
        writer.close()


async def test_who_does_not_read_the_answer_is_cut(hurried: Site) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", hurried.port))
    client.send(ASK.replace(b"/ ", b"/much "))

    await until(lambda: hurried.open == 1)
    await until(lambda: hurried.open == 0)

    assert hurried.cut == 1
    client.close()


async def test_who_leaves_while_the_rest_of_a_refused_body_comes_is_no_fault(
    hurried: Site, house: House
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hurried.port)
    writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    assert (await reader.readline()).startswith(b"HTTP/1.1 405 ")
    (ours,) = hurried._connections.open
    await until(lambda: not ours.busy)

    # It is lost in the turn of the loop in which more of the body came.
    ours.abort()
    ours.data_received(b"more")

    server = hurried._runner.server
    assert server is not None
    await until(lambda: not hurried.open and not server.connections)
    assert "http.broken" not in {one["event"] for one in house.lines.entries}
    writer.close()


async def test_a_process_without_files_rests_and_goes_on(narrow: Site) -> None:
    client = socket.socket()
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    told: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
    try:
        await loop.sock_connect(client, ("127.0.0.1", narrow.port))
        await until(lambda: bool(told))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    reader, writer = await asyncio.open_connection(sock=client)
    writer.write(ASK)

    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    assert {context["message"] for context in told} == {"socket.accept() out of system resource"}
    writer.close()


HEAD = (
    b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
    b"Transfer-Encoding: chunked\r\n"
)


async def said(port: int, data: bytes) -> bytes:
    """The first line that is answered, or nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    line = b""
    with suppress(ConnectionError):
        line = await reader.readline()
    writer.close()
    return line


async def test_a_body_in_chunks_of_a_byte_is_cut_before_it_is_parsed(house: House) -> None:
    before = house.site._connections.cut
    chunks = HEAD + b"\r\n" + b"1\r\n \r\n" * 100_000
    line_ends = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n"
    for data in (chunks, line_ends + b"\r\n" * 25_000):
        assert (await said(house.site.port, data)).startswith(b"HTTP/1.1 400 ")

    # One that was begun well, and is read.
    reader, writer = await asyncio.open_connection("127.0.0.1", house.site.port)
    writer.write(HEAD + b"\r\n1\r\n[\r\n")
    await until(lambda: any(one.busy for one in house.site._connections.open))
    writer.write(b"1\r\n \r\n" * 100_000)
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()

    assert house.site._connections.cut == before + 3
    assert (await house.post("/events", {"user_id": "good", "event": "Seen"})).status == 200
    assert [line for line in house.lines.entries if line["log_level"] == "error"] == []


async def test_a_body_of_many_small_chunks_and_lines_is_taken(house: House) -> None:
    event = b'{"user_id":"u","event":"e"}\r\n'
    chunk = b"%x\r\n%s\r\n" % (len(event), event)
    answered = await said(house.site.port, HEAD + b"\r\n" + chunk * 2_000 + b"0\r\n\r\n")

    assert answered.startswith(b"HTTP/1.1 200 ")
    assert len(house.inputs) == 2_000


async def test_short_requests_one_behind_the_other_are_answered(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.site.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000)
    for _ in range(1_000):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(b"}")
    writer.close()


async def ask(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has been answered, and stays."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    await ask_again(site, reader, writer)
    return reader, writer


async def ask_again(site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(ASK)
    assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
    known = writer.get_extra_info("sockname")
    await until(lambda: known not in [peer(one) for one in site._connections.open if one.busy])


def peer(connection: Connection) -> object:
    return connection._socket and connection._socket.get_extra_info("peername")


async def test_whoever_only_holds_connections_keeps_nobody_out(narrow: Site) -> None:
    first, writer = await ask(narrow)
    writers = [writer, *[(await ask(narrow))[1] for _ in range(5)]]

    assert narrow.open == 2
    assert (narrow.turned_away, narrow._connections.cut) == (0, 4)
    assert await first.read() == b""  # the one that came first is closed
    for other in writers:
        other.close()


async def test_nobody_makes_room_who_asks_or_has_something_to_read(house: House) -> None:
    async with await listen(make_app(), "127.0.0.1", 0, log=house.log, connections_max=3) as site:
        _, begun = await asyncio.open_connection("127.0.0.1", site.port)
        begun.write(ASK[:9])
        _, unread = await asyncio.open_connection("127.0.0.1", site.port, limit=1)
        unread.write(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: len(site._connections._unread.ends_s) == 1)
        _, idle = await ask(site)
        reader, writer = await ask(site)
        assert (site.open, site.turned_away, site._connections.cut) == (3, 0, 1)

        writer.write(ASK[:9])  # now nobody is idle
        await until(lambda: all(not one.idle for one in site._connections.open))
        refused, late = await asyncio.open_connection("127.0.0.1", site.port)
        assert (await refused.readline()).startswith(b"HTTP/1.1 503 ")
        writer.write(ASK[9:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        for other in (begun, unread, idle, writer, late):
            other.close()
