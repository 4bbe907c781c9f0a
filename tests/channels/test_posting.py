from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from yarl import URL

from channels.base import Accepted, Rejected, Retry
from channels.posting import Answer, Poster, judge, retry_after_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.channels.providers import HttpProvider

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    made = Poster(connections=2, timeout_ms=5_000)
    yield made
    await made.aclose()


async def test_an_answer_has_its_status_headers_and_body(
    http_server: HttpProvider, poster: Poster
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=422, text="no", headers={"Retry-After": "7"})

    http_server.answer = answer
    answered = await poster.post(URL(http_server.url), b"{}", JSON, is_trusted=True)
    assert isinstance(answered, Answer)
    assert (answered.status, answered.body) == (422, b"no")
    assert answered.headers["Retry-After"] == "7"
    assert answered.name == f"127.0.0.1:{http_server.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_address_that_leads_inwards_is_never_asked(
    http_server: HttpProvider, poster: Poster, host: str
) -> None:
    url = URL(http_server.url).with_host(host)
    refused = await poster.post(url, b"{}", JSON, is_trusted=False)
    assert isinstance(refused, Rejected)
    assert "not on the public internet" in refused.reason
    assert http_server.requests == []


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "017700000001"])
async def test_an_odd_spelling_of_an_address_that_leads_inwards_is_never_asked(
    http_server: HttpProvider, poster: Poster, host: str
) -> None:
    url = f"http://{host}:{http_server.port}/"
    refused = await poster.post(URL(url), b"{}", JSON, is_trusted=False)
    assert isinstance(refused, (Rejected, Retry))
    assert http_server.requests == []


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_is_accepted(status: int) -> None:
    assert isinstance(judge(status, {}, "x"), Accepted)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert isinstance(judge(status, {}, "x"), Retry)


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 410, 422])
def test_what_will_not_pass_is_rejected(status: int) -> None:
    assert isinstance(judge(status, {}, "x"), Rejected)


@pytest.mark.parametrize(
    ("asked", "date", "after_ms"),
    [
        ("0", "", 0),
        ("120", "", 120_000),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:27:30 GMT", 30_000),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:29:00 GMT", 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 -0000", None),
        ("-5", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_own_clock(
    asked: str, date: str, after_ms: int | None
) -> None:
    assert retry_after_ms({"Retry-After": asked, "Date": date}) == after_ms
