"""Every answer, of whatever route and whatever its status, keeps a browser within bounds."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from config import load_shop
from engine.app import App, Options
from engine.server import listen
from engine.server.dashboard import dashboard_handlers
from engine.server.dashboard.frame import FILES
from engine.server.hardening import HARDENING, harden
from engine.server.openapi import OPERATIONS
from tests.server.asking import REFUSED, ask
from tests.server.everything import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.server.house import House

ADMIN_KEY = "an-admin-key-of-the-tests"
ASKED_WITH: tuple[dict[str, str], ...] = (
    {},
    {"Authorization": f"Bearer {ADMIN_KEY}"},
    {"Host": "evil.example"},
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATHS = sorted(
    {one.path for one in OPERATIONS}
    | {*dashboard_handlers("key", "run", lambda: None)}
    | {"/no/such/route", "/v1/nothing", "/batch/nothing"}
)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[App, aiohttp.ClientSession]]:
    keys = f'[keys]\nadmin = "{ADMIN_KEY}"\n'
    shop = load_shop({"hairspring.toml": keys + EVERYTHING}, env={})
    app = await App.start(shop, Options(data=tmp_path, port=0))
    async with aiohttp.ClientSession() as client:
        yield app, client
    await app.stop()


def assert_hardened(headers: Mapping[str, str], what: str) -> None:
    assert headers["X-Content-Type-Options"] == "nosniff", what
    assert headers["X-Frame-Options"] == "DENY", what
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], what
    assert headers["Referrer-Policy"] in {"no-referrer", "same-origin"}, what
    assert headers["Cache-Control"], what
    assert headers["Server"] == "hairspring", what
    assert headers["X-Request-Id"], what


async def test_every_route_of_both_ports_answers_so_by_every_method(
    served: tuple[App, aiohttp.ClientSession],
) -> None:
    app, client = served
    statuses = set()
    for path in PATHS:
        place = re.sub(r"\{\w+\}", "x", path)
        for url in (app.ingest.url, app.admin.url):
            for method in METHODS:
                for headers in ASKED_WITH:
                    options: Any = {"allow_redirects": False, "headers": headers}
                    async with client.request(method, url + place, **options) as answer:
                        assert_hardened(answer.headers, f"{method} {path}: {answer.status}")
                        statuses.add(answer.status)
    assert {200, 204, 303, 400, 401, 403, 404, 405} <= statuses


async def test_files_for_pages_say_so_too_and_may_be_kept(
    served: tuple[App, aiohttp.ClientSession],
) -> None:
    app, client = served
    for url in [f"{app.admin.url}/assets/any/{name}" for name in FILES] + [
        f"{app.ingest.url}/sdk.js"
    ]:
        async with client.get(url) as answer:
            assert answer.status == 200
            assert_hardened(answer.headers, url)
            assert answer.headers["Cache-Control"].startswith("public")


async def test_what_a_service_worker_may_fetch_is_not_narrowed(
    served: tuple[App, aiohttp.ClientSession],
) -> None:
    app, client = served
    async with client.get(f"{app.ingest.url}/sdk-sw.js") as answer:
        assert "default-src" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_an_answer_with_a_user_in_it_is_kept_by_nobody(
    served: tuple[App, aiohttp.ClientSession],
) -> None:
    app, client = served
    async with client.get(
        f"{app.admin.url}/api/suppressed", headers={"Authorization": f"Bearer {ADMIN_KEY}"}
    ) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("admin", [False, True], ids=["events", "admin"])
@pytest.mark.parametrize("name", REFUSED)
async def test_bytes_that_are_refused_are_answered_so(house: House, name: str, admin: bool) -> None:
    _, headers, _ = await ask(house, REFUSED[name][0], admin=admin)
    for header, value in HARDENING.items():
        assert headers[header.lower()] == value


async def test_a_connection_too_many_is_told_so() -> None:
    async with await listen(web.Application(), "127.0.0.1", 0, connections_max=0) as full:
        reader, writer = await asyncio.open_connection("127.0.0.1", full.port)
        told = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    assert told.startswith("HTTP/1.1 503 ")
    for header, value in HARDENING.items():
        assert f"\r\n{header}: {value}\r\n" in told


def test_what_an_answer_says_itself_stays() -> None:
    headers = {"Cache-Control": "public"}
    harden(headers)
    assert headers == {**HARDENING, "Cache-Control": "public"}
