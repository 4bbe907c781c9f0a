"""What is refused before a handler is asked: always as a problem, never with a version."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.server.asking import HEAD, REFUSED, ask
from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import House


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
