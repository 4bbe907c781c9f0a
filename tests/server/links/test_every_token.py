"""Each route that takes a signed token: with tokens that are no good, and with a good one twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from channels.tokens import Purpose, Signer
from engine.core.inputs import EventReceived, MessageAnswered
from tests.server.house import House
from tests.server.links.visits import ID, Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.core.inputs import Input

HOUR = 3_600_000
ROUTES: dict[str, tuple[Purpose, str]] = {
    "/o/{token}.gif": ("open", ""),
    "/c/{token}": ("click", "https://shop.example/"),
    "/s/{token}": ("survey", "nps\n9"),
    "/u/{token}": ("unsubscribe", ""),
    "/preferences/{token}": ("preferences", ""),
}
"""By path, what its token is for, and what it says."""


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    house = await House.start(tmp_path)
    made = Reader(house)
    await made.exists(email="ann@example.com", consent={"email": True})
    yield made
    await house.aclose()


def _methods(reader: Reader, route: str) -> list[str]:
    return list(reader.house.links.routes()[route])


async def _statuses(reader: Reader, route: str, token: str) -> set[int]:
    """Of each method of a route, asked with a token; none of them leads anywhere."""
    path, found = route.replace("{token}", token), set()
    for method in _methods(reader, route):
        if method == "POST":
            answer = await reader.post(path, {"List-Unsubscribe": "One-Click", "do": "leave"})
        else:
            answer = await reader.house.get(path, allow_redirects=False)
        assert "Location" not in answer.headers
        found.add(answer.status)
    return found


async def _taken(reader: Reader) -> list[Input]:
    """What anything came of, but for who is known."""
    await reader.told()
    return reader.house.inputs[1:]


async def test_there_is_no_signed_route_but_these(reader: Reader) -> None:
    assert set(ROUTES) == set(reader.house.links.routes())
    assert {purpose for purpose, _ in ROUTES.values()} == set(get_args(Purpose))


@pytest.mark.parametrize("route", ROUTES)
async def test_a_token_that_was_changed_or_is_somebody_elses_opens_nothing(
    reader: Reader, route: str
) -> None:
    purpose, about = ROUTES[route]
    good = reader.token(purpose, about)
    place = len(good) // 2
    bad = [
        good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :],
        good[:-1],
        good + "A",
        good[1:],
        "x",
        "A" * 7_000,
        *(reader.token(other, about) for other in get_args(Purpose) if other != purpose),
    ]
    links = reader.house.links._links
    ours, links.signer = links.signer, Signer(["the key of another shop"])
    bad.append(reader.token(purpose, about))
    links.signer = ours
    for token in bad:
        assert await _statuses(reader, route, token) == {404}, token[:80]
    assert await _taken(reader) == []


@pytest.mark.parametrize("route", ROUTES)
async def test_a_token_that_has_expired_does_nothing_any_more(reader: Reader, route: str) -> None:
    purpose, about = ROUTES[route]
    token = reader.token(purpose, about, expires_in=-60_000)
    assert await _statuses(reader, route, token) == {410}
    assert await _taken(reader) == []


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("in_ms", "status"), [(HOUR, 404), (-60_000, 410)])
async def test_what_another_version_has_signed_is_no_fault_of_the_server(
    reader: Reader, route: str, in_ms: int, status: int
) -> None:
    purpose, _ = ROUTES[route]
    signer, now_ms = reader.house.links._links.signer, reader.house.clock.now_ms()
    token = signer.sign(purpose, b"\x93packed otherwise", now_ms + in_ms)
    assert await _statuses(reader, route, token) == {status}
    assert await _taken(reader) == []


async def test_an_answer_to_a_survey_that_is_sent_again_is_one_answer(reader: Reader) -> None:
    path = "/s/" + reader.token("survey", "nps\n9")
    assert [(await reader.post(path)).status for _ in range(3)] == [200, 200, 200]
    given = [one for one in reader.house.inputs if isinstance(one, EventReceived)]
    assert [one.name for one in given] == ["Feedback Given"]


async def test_who_unsubscribes_again_by_the_same_link_has_done_it_once(reader: Reader) -> None:
    path = "/u/" + reader.token("unsubscribe")
    form = {"List-Unsubscribe": "One-Click"}
    assert [(await reader.post(path, form)).status for _ in range(3)] == [200, 200, 200]
    assert reader.stated == [("one-click", {"email": False}, {})]
    told = [one for one in reader.house.inputs if isinstance(one, MessageAnswered)]
    assert [(one.sent.id, one.answer) for one in told] == [(ID, "unsubscribed")]
