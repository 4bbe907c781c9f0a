"""`GET /openapi.json` has every route for programs of both ports, and no other."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

import engine.app
from config import load_shop
from engine.app import App, Options
from engine.server.dashboard import dashboard_handlers
from engine.server.openapi import OPERATIONS, document
from engine.server.segment import ROUTES
from tests.server.everything import EVERYTHING
from tests.server.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from aiohttp import web

    from tests.server.house import House


def routes_of(app: web.Application) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), resource.canonical)
        for resource in app.router.resources()
        for route in resource
        if route.method not in {"*", "HEAD", "OPTIONS"}
    }


async def test_every_route_for_programs_is_in_it_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apps: list[web.Application] = []
    for name in ("make_ingest_app", "make_admin_app"):
        make = getattr(engine.app, name)

        def kept(door: Any, make: Any = make) -> web.Application:
            apps.append(make(door))
            return apps[-1]

        monkeypatch.setattr(engine.app, name, kept)
    shop = load_shop({"hairspring.toml": EVERYTHING}, env={})
    app = await App.start(shop, Options(data=tmp_path, port=0))
    await app.stop()
    assert len(apps) == 2
    pages = set(dashboard_handlers("key", "run", lambda: None))
    served = {one for served in apps for one in routes_of(served) if one[1] not in pages}
    assert served == {(one.method, one.path) for one in OPERATIONS}


async def test_both_ports_give_a_document_whose_references_lead_somewhere(house: House) -> None:
    answers = [await house.get("/openapi.json", admin=admin) for admin in (False, True)]
    assert answers[0].json == answers[1].json
    told = answers[0].json
    assert told["openapi"] == "3.1.0"
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', answers[0].text)):
        Draft202012Validator.check_schema(told["components"]["schemas"][name])
    ids = [one["operationId"] for path in told["paths"].values() for one in path.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)
    used = {
        key
        for path in told["paths"].values()
        for one in path.values()
        for need in one.get("security", ())
        for key in need
    }
    assert used == set(told["components"]["securitySchemes"])


async def test_each_example_is_taken_by_its_route(house: House) -> None:
    told = (await house.get("/openapi.json")).json
    tried = 0
    for path, methods in told["paths"].items():
        for one in methods.values():
            example = one.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "write" in str(one.get("security")):
                answer = await house.post(path, example["example"])
                tried += answer.status == 200
                assert answer.status == 200, (path, answer.text)
    assert tried == len(ROUTES) + 4


async def test_what_is_told_of_an_operation_is_whole(house: House) -> None:
    """Of each: what admits, what it takes with an example, each parameter, and every refusal."""
    told = (await house.get("/openapi.json")).json
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            named = set(re.findall(r"\{(\w+)\}", path))
            given = {each["name"] for each in one["parameters"] if each["in"] == "path"}
            assert named == given, path
            assert all(each["description"] and each["schema"] for each in one["parameters"]), path
            content = one.get("requestBody", {}).get("content", {})
            for media, body in content.items():
                assert body["schema"], (path, media)
            statuses = {int(status) for status in one["responses"]}
            assert any(status < 400 for status in statuses), path
            if one.get("security") and method == "post":
                assert {401, 503} <= statuses, path
            for status, answer in one["responses"].items():
                assert answer["description"]
                if int(status) in {429, 503}:
                    assert "Retry-After" in answer["headers"], path


async def test_the_page_asks_for_nothing_from_elsewhere(house: House) -> None:
    page = await house.get("/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(r"(src|href)=|<script|@import|url\(", page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert all(one.path in page.text for one in OPERATIONS)


async def test_whoever_asks_again_and_again_has_nothing_made_anew(house: House) -> None:
    """Anybody may ask: to make it takes as long as a hundred deadlines may be late together."""
    for path in ("/openapi.json", "/docs"):
        whole = await house.get(path)
        async with house.client.head(house.site.url + path) as head:
            assert int(head.headers["Content-Length"]) == len(whole.text.encode())
            assert await head.read() == b""
        again = await asyncio.gather(*(house.get(path) for _ in range(20)))
        assert {one.text for one in again} == {whole.text}
    assert document._document_bytes.cache_info().misses <= 1
    assert document._page_bytes.cache_info().misses <= 1


async def test_whoever_asks_and_reads_nothing_is_sent_a_piece_and_no_more(house: House) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", house.site.port, limit=1)
    writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
    await until(lambda: any(one.busy for one in house.site._connections.open))
    assert (await house.get("/healthz")).status == 200
    (connection,) = [one for one in house.site._connections.open if one.busy]
    assert connection._socket is not None
    assert connection._socket.get_write_buffer_size() <= document._PIECE_BYTES + 1024
    writer.close()
