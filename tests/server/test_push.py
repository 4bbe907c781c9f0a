from __future__ import annotations

from typing import TYPE_CHECKING

from engine.server.doors import ChannelDoors
from tests.server.house import House

if TYPE_CHECKING:
    from pathlib import Path


async def test_pages_of_the_write_keys_may_read_what_browsers_subscribe_with(
    tmp_path: Path,
) -> None:
    house = await House.start(
        tmp_path, channels=ChannelDoors("BGtkbcjrO12YMoDuq2sCQeHlu47uPx3SHTgFKZFYiBW8")
    )
    answer = await house.get("/push/key", headers={"Origin": "https://shop.example"})
    await house.aclose()
    assert answer.status == 200
    assert answer.json == {"key": "BGtkbcjrO12YMoDuq2sCQeHlu47uPx3SHTgFKZFYiBW8"}
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"


async def test_a_shop_without_web_push_says_so(house: House) -> None:
    answer = await house.get("/push/key")
    assert (answer.status, answer.json["code"]) == (404, "push.off")
