"""Of whom a mail provider tells, where several users are reached at one mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.core.inputs import MessageAnswered
from engine.core.messages.waiting import by_id
from engine.core.people.consents import proofs
from engine.core.plan import Plan
from tests.core.world import campaign, send
from tests.server.house import BEARER, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.webhooks.conftest import Called


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    started = await House.start(tmp_path, plan=Plan("p", [campaign("c", send("email"))]))
    yield started
    await started.aclose()


async def _known(called: Called, user_id: str, email: str, **traits: Any) -> None:
    said = {"type": "identify", "user_id": user_id, "traits": {"email": email, **traits}}
    await called.house.post("/events", said, headers=BEARER)


async def test_whose_mailbox_it_is_says_no_for_all_who_are_reached_there(called: Called) -> None:
    await _known(called, "ada", "jon@example.com")
    await _known(called, "guest", "Jon@Example.com")
    await _known(called, "bob", "bob@example.com")
    told = [{"event": "unsubscribe", "email": "jon@example.com", "sg_event_id": "s1"}]
    await called.call("sendgrid", told)
    await called.call("sendgrid", told)

    users = called.house.processor.users
    said = {user_id: users[user_id].traits.get("consent") for user_id in ("ada", "guest", "bob")}
    assert said == {"ada": {"email": False}, "guest": {"email": False}, "bob": None}
    assert [len(proofs(users[user_id])) for user_id in ("ada", "guest")] == [1, 1]


async def test_what_became_of_a_mail_is_told_of_whom_it_was_sent_to(called: Called) -> None:
    await _known(called, "ada", "jon@example.com")
    house = called.house
    await _known(called, "jon", "jon@example.com", consent={"email": True})
    await house.post("/events", {"user_id": "jon", "event": "Go"}, headers=BEARER)
    (message_id,) = by_id(house.processor.users["jon"].pending)
    opened = {"event": "opened", "email": "jon@example.com", "message-id": f"<{message_id}@shop>"}
    await called.call("brevo", opened)

    answer = house.inputs[-1]
    assert isinstance(answer, MessageAnswered)
    assert (answer.user_id, answer.sent.campaign) == ("jon", "c")
