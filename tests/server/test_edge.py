"""What is refused before a handler is asked: always as a problem, never with a version."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize("admin", [False, True], ids=["events", "admin"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused_is_a_problem_on_both_ports(
    house: House, name: str, admin: bool
) -> None:
    said, status, code = REFUSED[name]
    answered, headers, body = await ask(house, said, admin=admin)

    assert answered == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["server"] == "hairspring"
    assert headers["x-request-id"].startswith("test-")
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (f"GET /v1/projects/{KEY}/settings HTTP/1.1\r\nHost: x".encode() + b"\xff\r\n\r\n", 200),
        (f"GET /track?event=e HTTP/1.1\r\n{HEAD}X-Request-Id: ".encode() + b"\xff\r\n\r\n", 400),
    ],
    ids=["host", "request id"],
)
async def test_a_header_may_be_of_any_bytes(house: House, said: bytes, status: int) -> None:
    assert (await ask(house, said))[0] == status


async def test_a_body_that_breaks_off_is_no_fault_of_the_server(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.admin.port)
    head = "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    await reader.readuntil(b"100 Continue\r\n\r\n")  # so the handler waits for it
    writer.write(b"key")
    writer.write_eof()
    await reader.read()
    writer.close()
    await writer.wait_closed()

    assert (await house.get("/healthz")).status == 200
    assert [line["event"] for line in house.lines.entries if line["log_level"] == "error"] == []


async def test_a_good_answer_tells_no_version_either(house: House) -> None:
    answer = await house.get("/healthz")

    assert answer.headers["Server"] == "hairspring"


async def test_an_unknown_sdk_route_is_answered_as_sdks_read_it(house: House) -> None:
    answer = await house.post("/v1/nothing", {})

    assert answer.status == 404
    assert answer.json["success"] is False


async def test_what_is_no_http_is_logged_without_it(house: House) -> None:
    await ask(house, b"secret nonsense\r\n\r\n")

    (line,) = house.lines.entries
    assert (line["event"], line["log_level"]) == ("http.malformed", "debug")
    assert "secret" not in repr(line)
    assert "127.0.0.1" not in repr(line)


async def test_the_line_of_a_request_names_its_route_and_not_what_was_typed(house: House) -> None:
    await house.get("/readyz?token=secret")
    await house.get("/secret")

    assert [line["route"] for line in house.lines.entries] == ["/readyz", "unknown"]
