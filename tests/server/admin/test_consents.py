from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from channels.tokens import TokenInvalid
from engine.runtime.clock import Clock, wall_ms
from tests.server.house import SIGNER, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ADMIN = {"Authorization": "Bearer an-admin-key"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    started = await House.start(tmp_path)
    started.operate(signer=SIGNER)
    said = {"type": "identify", "user_id": "ada", "traits": {"email": "ada@example.com"}}
    await started.post("/events", said)
    yield started
    await started.aclose()


async def ask(house: House, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with house.client.post(house.admin.url + path, json=body, headers=ADMIN) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_consent_given_otherwise_is_taken_with_its_source(house: House) -> None:
    body = {"source": "telephone", "channels": {"email": True}, "topics": {"news": True}}
    status, answer = await ask(house, "/api/users/ada/consent", body)
    assert status == 200
    assert answer["consent"] == {"email": True, "topics": {"news": True}}
    shown = (await house.get("/api/users/ada", admin=True, headers=ADMIN)).json
    told = [(one["what"], one["said"], one["source"]) for one in shown["consents"]]
    assert told == [("email", "yes", "telephone"), ("topic:news", "yes", "telephone")]


async def test_an_address_is_suppressed_told_and_freed(house: House) -> None:
    await ask(house, "/api/users/ada/consent", {"suppressed": {"email": True}})
    listed = (await house.get("/api/suppressed", admin=True, headers=ADMIN)).json
    (one,) = listed["suppressed"]
    assert (one["user_id"], one["channel"], one["source"]) == ("ada", "email", "operator")
    assert one["at"].startswith("20")
    await ask(house, "/api/users/ada/consent", {"suppressed": {"email": False}})
    listed = (await house.get("/api/suppressed", admin=True, headers=ADMIN)).json
    assert listed == {"count": 0, "suppressed": []}


async def test_an_address_is_freed_for_all_who_have_it(house: House) -> None:
    said = {"type": "identify", "user_id": "guest", "traits": {"email": "Ada@example.com"}}
    await house.post("/events", said)
    await ask(house, "/api/users/ada/consent", {"suppressed": {"email": True}})
    assert house.processor.barred.bars("email", "ada@example.com")
    await ask(house, "/api/users/guest/consent", {"suppressed": {"email": False}})
    assert not house.processor.barred.bars("email", "ada@example.com")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/users/ada/consent", {"channels": {"pigeon": True}}, 400),
        ("/api/users/ada/consent", {"channels": {"email": "yes"}}, 400),
        ("/api/users/ada/consent", {"chanels": {}}, 400),
        ("/api/users/nobody/consent", {}, 404),
        ("/api/users/ada/token", {"expires_in": 0}, 400),
        ("/api/users/ada/token", {"expires_in": 10**9}, 400),
    ],
)
async def test_what_is_wrong_changes_nothing(
    house: House, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await ask(house, path, body))[0] == status


async def test_it_needs_the_admin_key(house: House) -> None:
    assert (await house.get("/api/suppressed", admin=True)).status == 401


async def test_a_token_is_the_users_for_so_long_whatever_the_shops_own_time(house: House) -> None:
    house.operate(clock=Clock(wall_ms() + 30 * 86_400_000), signer=SIGNER)
    status, answer = await ask(house, "/api/users/ada%2F1/token", {"expires_in": 60})

    assert status == 200
    assert SIGNER.read_user(answer["token"], wall_ms()) == "ada/1"
    with pytest.raises(TokenInvalid):
        SIGNER.read_user(answer["token"], wall_ms() + 61_000)
