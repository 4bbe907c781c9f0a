"""Under all attacks at once a port answers others, holds little, and lets go of what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.attacks import Attack
from bench.shop import WRITE_KEY
from config.serving import WriteKey
from engine.server import Limits
from tests.server.house import KEY, House
from tests.server.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CROWD = 15
SAID = {
    "bomb": {413},
    "deep": {400},
    "many": {413},
    "whole": {413},
    "huge head": {0, 431},
    "half closed": {0, 400},
}
"""What each attack that comes to an end by itself is told; 0: it was cut before it could read."""


@pytest.fixture
async def attacked(tmp_path: Path) -> AsyncIterator[tuple[House, Attack]]:
    keys = (WriteKey(key=KEY), WriteKey(key=WRITE_KEY))
    house = await House.start(tmp_path, Limits(body_within_s=0.5), keys=keys)
    attack = Attack(house.site.port)
    attack.begin(CROWD)
    yield house, attack
    await attack.end()
    await house.aclose()


async def test_others_are_answered_meanwhile(attacked: tuple[House, Attack]) -> None:
    house, attack = attacked
    answers = []
    # Until each attack has been told what it is to be told, and a slow body was cut.
    while not {*SAID, "slow bodies"} <= attack.said.keys():
        answer = await house.post("/events", {"user_id": "good", "event": "Seen"})
        answers.append(answer.status)

    assert set(answers) == {200}
    for name, statuses in SAID.items():
        assert attack.said[name].keys() <= statuses, name
    assert attack.said["slow bodies"].keys() <= {408}
    # Of a hostile body nothing is taken, and nothing is kept but what is known to be bounded.
    assert {one.user_id for one in house.inputs} == {"good"}  # type: ignore[union-attr]
    assert house.quarantined == []


async def test_what_they_held_is_let_go_of(attacked: tuple[House, Attack]) -> None:
    house, attack = attacked
    await until(lambda: house.site.open >= CROWD)
    await attack.end()
    await until(lambda: house.site.open == 0)
    assert (await house.get("/healthz")).status == 200
    errors = [line for line in house.lines.entries if line["log_level"] == "error"]
    assert errors == []
