"""What a test asks of the quarantine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.server.house import Answer

if TYPE_CHECKING:
    from tests.server.house import House

ADMIN = {"Authorization": "Bearer an-admin-key"}
ROUTE = "/api/quarantine"


async def told(house: House, query: str = "") -> dict[str, Any]:
    answer = await house.get(ROUTE + query, admin=True, headers=ADMIN)
    assert answer.status == 200, answer.text
    return answer.json  # type: ignore[no-any-return]


async def retried(house: House, **asked: Any) -> Answer:
    async with house.client.post(
        house.admin.url + ROUTE + "/retry", json=asked, headers=ADMIN
    ) as answer:
        return Answer(answer.status, answer.headers, await answer.text())


def last(answer: Answer) -> dict[str, Any]:
    return json.loads(answer.text.splitlines()[-1])["result"]  # type: ignore[no-any-return]
