from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import engine.server
from engine.errors import StoreError
from tests.server.admin.operated import let_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House

ROUTE = "/api/backup"
BODY = {"path": "/nowhere/backup.db"}


async def ask(house: House, key: str, **options: Any) -> tuple[int, str]:
    headers = {"Authorization": key, **options.pop("headers", {})}
    async with house.client.post(
        house.admin.url + ROUTE, json=BODY, headers=headers, **options
    ) as answer:
        return answer.status, (await answer.json())["code"]


@pytest.mark.parametrize(
    "key", ["", "Bearer ", "Bearer a-write-key", "an-admin-key", "Bearer an-admin-ke", "Bearer ☂"]
)
async def test_without_the_admin_key_nobody_operates_from_this_machine_either(
    house: House, key: str
) -> None:
    assert await ask(house, key) == (401, "key.unknown")


async def test_no_route_lets_anybody_in_without_a_key_or_under_a_foreign_name(
    house: House,
) -> None:
    routes = [
        (route.method, route.resource.canonical.format(id="ada", version="0", enrollment="e"))
        for route in house.admin_app.router.routes()
        if route.resource is not None and route.method != "*"
    ]
    assert ("DELETE", "/api/users/ada") in routes
    foreign = {"Host": "evil.example", "Authorization": "Bearer an-admin-key"}
    refused, keyless = set(), set()
    for method, path in routes:
        url = house.admin.url + path
        async with house.client.request(method, url, headers=foreign) as answer:
            refused.add(answer.status)
        async with house.client.request(method, url, allow_redirects=False) as answer:
            told = answer.status, answer.headers.get("Location", "").partition("?")[0]
        if path.startswith("/api/"):
            assert told == (401, ""), path
        elif told == (200, ""):
            keyless.add(path)
        elif told != (303, "/sign-in"):
            assert told[0] in {400, 401, 404}, path
    assert refused == {403}
    open_to_all = {"/metrics", "/healthz", "/readyz", "/sign-in", "/openapi.json", "/docs"}
    assert keyless == open_to_all


async def test_while_the_process_starts_it_says_so(house: House) -> None:
    assert await ask(house, "Bearer an-admin-key") == (503, "not_ready")


async def test_no_web_page_reaches_it_under_a_name_of_its_own(house: House) -> None:
    headers = {"Host": "evil.example"}
    assert await ask(house, "Bearer an-admin-key", headers=headers) == (403, "host.foreign")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"path": "/nowhere/back\\u0000up.db"}', "backup.place"),
        (b'{"path": "backup.db"}', "backup.place"),
        (b'{"path": "/nowhere/\xff.db"}', "body.invalid"),
        (b"[" * 9_000, "body.invalid"),
    ],
    ids=["nul", "relative", "no UTF-8", "deep"],
)
async def test_what_is_no_place_for_a_backup_is_refused(
    house: House, body: bytes, code: str
) -> None:
    let_in(house)
    headers = {"Authorization": "Bearer an-admin-key"}
    async with house.client.post(house.admin.url + ROUTE, data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, code)


async def test_an_answer_that_takes_long_bears_what_all_answers_bear(
    house: House, tmp_path: Path
) -> None:
    let_in(house)
    backup = tmp_path / "backup.db"
    headers = {"Authorization": "Bearer an-admin-key", "X-Request-Id": "mine"}
    async with house.client.post(
        house.admin.url + ROUTE, json={"path": str(backup)}, headers=headers
    ) as answer:
        *_, last = (await answer.text()).splitlines()
    assert (answer.headers["X-Request-Id"], answer.headers["Server"]) == ("mine", "hairspring")
    assert msgspec.json.decode(last)["result"]["path"] == str(backup)


async def test_what_failed_is_told_with_what_to_do(house: House) -> None:
    def broken() -> None:
        raise StoreError("the disk is full", hint="make room", code="store.full")

    house.operated = broken
    answer = await house.get(
        "/api/users/ada", admin=True, headers={"Authorization": "Bearer an-admin-key"}
    )
    assert (answer.status, answer.json["code"]) == (500, "store.full")
    assert answer.json["detail"] == "the disk is full; make room"
    assert [line["code"] for line in house.lines.entries if "code" in line] == ["store.full"]


@pytest.mark.parametrize("limit", ["0", "10001", "-1", "1.0", "9" * 5_000, "²"])
async def test_a_limit_that_is_none_is_refused(house: House, limit: str) -> None:
    house.operated = lambda: engine.server.House(*[None] * 6)  # type: ignore[arg-type]
    answer = await house.get(
        f"/api/users/ada/timeline?limit={limit}",
        admin=True,
        headers={"Authorization": "Bearer an-admin-key"},
    )
    assert (answer.status, answer.json["code"]) == (400, "query.invalid")


@pytest.mark.parametrize("what", ["deadletters", "quarantine"])
async def test_a_retry_is_of_all_where_no_body_says_which_and_of_none_where_one_does_not(
    house: House, what: str
) -> None:
    let_in(house)
    url, admin = f"{house.admin.url}/api/{what}/retry", {"Authorization": "Bearer an-admin-key"}
    async with house.client.post(url, headers=admin) as answer:
        assert answer.status == 200
        told = msgspec.json.decode((await answer.read()).splitlines()[-1])
        assert told["result"]["asked"] == 0
    async with house.client.post(url, data=b"{}", headers=admin) as answer:
        assert answer.status == 400
        told = await answer.json()
    assert told["code"] == "body.invalid"
    assert '{"all": true}' in told["detail"]
