from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
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


async def test_while_the_process_starts_it_says_so(house: House) -> None:
    assert await ask(house, "Bearer an-admin-key") == (503, "not_ready")


async def test_no_web_page_reaches_it_under_a_name_of_its_own(house: House) -> None:
    headers = {"Host": "evil.example"}
    assert await ask(house, "Bearer an-admin-key", headers=headers) == (403, "host.foreign")
