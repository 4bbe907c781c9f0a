"""A request byte by byte, and requests that are refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import House

HEAD = f"Host: x\r\nAuthorization: Bearer {KEY}\r\n"


async def ask(house: House, said: bytes, *, admin: bool = False) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of the one answer to bytes on a socket."""
    port = house.admin.port if admin else house.site.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    await writer.wait_closed()
    return int(first.split()[1]), headers, body.decode()


REFUSED = {
    "no http": (b"\x00\xff garbage\r\n\r\n", 400, "http.malformed"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50, 400, "http.malformed"),
    "unknown method": (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "http.malformed"),
    "bad header": (b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n", 400, "http.malformed"),
    "no path": (b"GET nothing HTTP/1.1\r\nHost: x\r\n\r\n", 400, "http.malformed"),
    "long line": (
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        431,
        "http.head_too_large",
    ),
    "long header": (
        b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000 + b"\r\n\r\n",
        431,
        "http.head_too_large",
    ),
    "two lengths": (
        f"POST /events HTTP/1.1\r\n{HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\n".encode(),
        400,
        "http.malformed",
    ),
    "unknown path": (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "http.not_found"),
    "no path at all": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "http.not_found"),
    "a proxy's": (b"CONNECT a:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "http.not_found"),
    "other method": (
        b"DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        405,
        "http.method_not_allowed",
    ),
    "unknown expectation": (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n",
        417,
        "http.expectation",
    ),
}
