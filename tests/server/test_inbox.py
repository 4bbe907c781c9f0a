from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from channels.base import Accepted
from channels.registry import InAppSettings, build_channels
from channels.tokens import Signer
from engine.core.inputs import EventReceived, MessageAnswered, UserIdentified
from engine.runtime.clock import wall_ms
from engine.runtime.delivery.inboxes import Inboxes
from engine.server.doors import ChannelDoors
from engine.server.inbox import STREAMS_OF_USER_MAX, InboxDoor
from engine.server.rates import BAD_KEYS_BURST
from tests.channels.providers import message
from tests.server.house import Answer, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

HOUR = 3_600_000
SIGNER = Signer(["a-signing-key-of-this-shop"])
FRONT = {"title": "Still yours", "style": "modal", "url": "https://shop.example/cart"}


class Late:
    """The routes of a door that is made once its house is there."""

    def __init__(self) -> None:
        self.door: InboxDoor

    def routes(self) -> Any:
        async def read(request: Any) -> Any:
            return await self.door.list(request)

        async def stream(request: Any) -> Any:
            return await self.door.stream(request)

        async def mark(request: Any) -> Any:
            return await self.door.mark(request)

        async def answer(request: Any) -> Any:
            return await self.door.answer(request)

        marked = "/inbox/{id}/{done:read|click|dismiss}"
        return {
            "/inbox": {"GET": read},
            "/inbox/stream": {"GET": stream},
            "/inbox/{id}/answer": {"POST": answer},
            marked: {"POST": mark},
        }


class Home(House):
    """A house with inboxes."""

    inboxes: Inboxes
    settings: InAppSettings

    @classmethod
    async def open(cls, path: Path, heartbeat_s: float = 15.0, **settings: Any) -> Home:
        late = Late()
        home = await cls.start(path, channels=ChannelDoors(inbox=late))
        assert isinstance(home, Home)
        home.settings = InAppSettings(transport="inbox", **settings)
        home.inboxes = Inboxes(
            home.store, home.clock.now_ms, home.processor.ids_of, home.settings.messages_max
        )
        late.door = InboxDoor(
            home.inboxes,
            home.settings,
            SIGNER,
            submit=home.shell.submit,
            now_ms=home.clock.now_ms,
            wall_ms=wall_ms,
            metrics=home.metrics,
            monotonic_ns=lambda: home.monotonic_ns,
            heartbeat_s=heartbeat_s,
        )
        return home

    async def knows(self, user: str) -> None:
        now_ms = self.clock.now_ms()
        await self.shell.submit([UserIdentified(user, now_ms, now_ms)])

    async def send(self, number: int = 1, user: str = "ada", **changes: Any) -> str:
        """Have a message delivered; its id."""
        channels = build_channels({"in_app": self.settings}, data=_NOWHERE, shelf=self.inboxes)
        changes = {"front": FRONT, "at_ms": self.clock.now_ms(), **changes}
        sent = message("in_app", number, user_id=user, **changes)
        assert await channels["in_app"].deliver(sent) == Accepted()
        return sent.id

    async def listed(self, user: str = "ada") -> list[dict[str, Any]]:
        return (await self.get("/inbox", headers=bearer(user))).json["messages"]

    async def done(self, what: str, message_id: str, user: str = "ada") -> Answer:
        return await self.post(f"/inbox/{message_id}/{what}", headers=bearer(user))

    def stream(self, user: str = "ada", **headers: str) -> Any:
        url = f"{self.site.url}/inbox/stream?token={token(user)}"
        return self.client.get(url, headers=headers)


_NOWHERE = Path("nowhere")


def token(user: str, in_ms: int = HOUR) -> str:
    return SIGNER.sign_user(user, wall_ms() + in_ms)


def bearer(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}"}


async def read_event(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """The next event of a stream, with its id; comments are passed over."""
    found: dict[str, Any] = {}
    while True:
        line = (await answer.content.readline()).decode().rstrip("\n")
        if not line and "data" in found:
            return {"number": int(found["id"]), **msgspec.json.decode(found["data"])}
        name, _, value = line.partition(": ")
        if name in {"id", "data"}:
            found[name] = value


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    opened = await Home.open(tmp_path)
    await opened.knows("ada")
    await opened.knows("bob")
    yield opened
    opened.inboxes.close()
    await opened.aclose()


async def test_a_user_sees_his_own_messages_newest_first(home: Home) -> None:
    first, second = await home.send(1, step="nudge"), await home.send(2)
    await home.send(3, user="bob")
    newest, oldest = await home.listed()
    assert [newest["id"], oldest["id"]] == [second, first]
    assert oldest["step"] == "nudge"
    assert oldest["campaign"] == "cart-abandonment"
    assert (oldest["read"], oldest["clicked"]) == (False, False)
    assert {key: oldest[key] for key in FRONT} == FRONT


async def test_a_message_that_is_handed_over_twice_is_there_once(home: Home) -> None:
    assert await home.send(1) == await home.send(1)
    assert len(await home.listed()) == 1


@pytest.mark.parametrize("said", ["", "x", "v1.YWRh.99999999999." + "A" * 43])
async def test_who_has_no_token_of_this_shop_sees_nothing(home: Home, said: str) -> None:
    for path in ("/inbox", "/inbox/stream"):
        answer = await home.get(path, headers={"Authorization": f"Bearer {said}"})
        assert (answer.status, answer.json["code"]) == (401, "token.invalid")


async def test_a_token_that_has_expired_says_so(home: Home) -> None:
    old = {"Authorization": f"Bearer {token('ada', -HOUR)}"}
    answer = await home.get("/inbox", headers=old)
    assert (answer.status, answer.json["code"]) == (401, "token.expired")


async def test_an_address_with_many_wrong_tokens_waits_and_good_and_old_ones_are_heard(
    home: Home,
) -> None:
    wrong = {"Authorization": "Bearer x"}
    asked = [await home.get("/inbox", headers=wrong) for _ in range(BAD_KEYS_BURST)]
    over = await home.get("/inbox", headers=wrong)
    stream = await home.get("/inbox/stream", headers=wrong)
    marked = await home.done("read", await home.send())
    old = await home.get("/inbox", headers={"Authorization": f"Bearer {token('ada', -HOUR)}"})
    home.monotonic_ns += 1_000_000_000
    after = await home.get("/inbox", headers=wrong)

    assert {answer.status for answer in asked} == {401}
    for answer in (over, stream):
        assert (answer.status, answer.json["code"]) == (429, "key.too_many")
        assert answer.headers["Retry-After"] == "1"
    assert "user's token" in over.json["detail"]
    assert (marked.status, len(await home.listed())) == (204, 1)
    assert (old.status, after.status) == (401, 401)
    assert home.refused("token") == BAD_KEYS_BURST + 4


async def test_tokens_that_have_expired_guess_nothing_and_are_not_counted_together(
    home: Home,
) -> None:
    old = {"Authorization": f"Bearer {token('ada', -HOUR)}"}
    asked = [await home.get("/inbox", headers=old) for _ in range(BAD_KEYS_BURST + 1)]
    assert {answer.json["code"] for answer in asked} == {"token.expired"}


@pytest.mark.parametrize(
    ("done", "name"),
    [
        ("read", "In-App Message Opened"),
        ("click", "In-App Message Clicked"),
        ("dismiss", "In-App Message Dismissed"),
    ],
)
async def test_what_is_done_with_a_message_is_an_event_once(
    home: Home, done: str, name: str
) -> None:
    sent = await home.send(enrollment="e1", template="t")
    assert (await home.done(done, sent)).status == 204
    assert (await home.done(done, sent)).status == 204
    (happened,) = [one for one in home.inputs if isinstance(one, MessageAnswered)]
    assert (happened.name, happened.user_id, happened.sent.id) == (name, "ada", sent)
    assert (happened.sent.enrollment, happened.sent.template) == ("e1", "t")
    assert happened.link == (FRONT["url"] if done == "click" else "")


async def test_what_is_read_says_so_and_what_is_dismissed_is_gone(home: Home) -> None:
    first, second = await home.send(1), await home.send(2)
    await home.done("read", first)
    await home.done("dismiss", second)
    (left,) = await home.listed()
    assert (left["id"], left["read"]) == (first, True)


async def test_nobody_does_anything_with_a_message_of_somebody_else(home: Home) -> None:
    sent = await home.send()
    answer = await home.done("dismiss", sent, user="bob")
    assert (answer.status, answer.json["code"]) == (404, "inbox.unknown")
    assert (await home.done("read", "no-such-id")).status == 404
    assert len(await home.listed()) == 1


async def test_of_too_many_messages_the_oldest_go(tmp_path: Path) -> None:
    home = await Home.open(tmp_path, messages_max=3)
    sent = [await home.send(number) for number in range(5)]
    other = await home.send(9, user="bob")
    assert [one["id"] for one in await home.listed()] == sent[:1:-1]
    assert [one["id"] for one in await home.listed("bob")] == [other]
    await home.aclose()


async def test_a_message_lasts_as_long_as_its_template_says_and_no_longer_than_is_kept(
    home: Home,
) -> None:
    now_ms = home.clock.now_ms()
    await home.send(1, front={**FRONT, "expires": "1h"}, at_ms=now_ms - HOUR - 1)
    kept = await home.send(2, front={**FRONT, "expires": "1h"}, at_ms=now_ms - HOUR // 2)
    await home.send(3, at_ms=now_ms - home.settings.keep_ms - 1)
    assert [one["id"] for one in await home.listed()] == [kept]


async def test_a_browser_that_listens_gets_what_is_there_and_what_comes(home: Home) -> None:
    first = await home.send(1)
    async with home.stream() as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert await answer.content.readline() == b"retry: 3000\n"
        assert (await read_event(answer))["id"] == first
        second = await home.send(2)
        assert (await read_event(answer))["id"] == second


async def test_a_browser_that_comes_again_gets_what_it_has_missed(home: Home) -> None:
    await home.send(1)
    async with home.stream() as answer:
        last = (await read_event(answer))["number"]
    missed = [await home.send(number) for number in range(2, 12)]
    async with home.stream(**{"Last-Event-ID": str(last)}) as answer:
        assert [(await read_event(answer))["id"] for _ in missed] == missed


@pytest.mark.parametrize("said", ["x", "-1", "9" * 40, "1.5"])
async def test_a_last_event_that_is_none_of_ours_is_the_beginning(home: Home, said: str) -> None:
    sent = await home.send()
    async with home.stream(**{"Last-Event-ID": said}) as answer:
        assert (await read_event(answer))["id"] == sent


async def test_a_stream_on_which_nothing_happens_says_that_it_is_there(tmp_path: Path) -> None:
    home = await Home.open(tmp_path, heartbeat_s=0.01)
    async with home.stream() as answer:
        assert [await answer.content.readline() for _ in range(4)] == [
            *(b"retry: 3000\n", b"\n", b":\n", b"\n"),
        ]
    home.inboxes.close()
    await home.aclose()


async def test_too_many_tabs_of_one_user_keep_no_other_user_out(home: Home) -> None:
    streams = [await home.stream() for _ in range(STREAMS_OF_USER_MAX)]
    for answer in streams:
        await answer.content.readline()
    async with home.stream() as refused:
        assert (refused.status, refused.headers["Retry-After"]) == (429, "30")
    async with home.stream("bob") as answer:
        assert answer.status == 200
    for answer in streams:
        answer.close()


async def test_more_browsers_than_may_listen_are_told_to_come_later(tmp_path: Path) -> None:
    home = await Home.open(tmp_path, streams_max=1)
    async with home.stream() as answer:
        await answer.content.readline()
        async with home.stream("bob") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
    home.inboxes.close()
    await home.aclose()


async def test_who_has_left_listens_no_more(tmp_path: Path) -> None:
    home = await Home.open(tmp_path, heartbeat_s=0.01)
    async with home.stream() as answer:
        await answer.content.readline()
        assert home.inboxes.listening == 1
    while home.inboxes.listening:
        await asyncio.sleep(0)
    await home.aclose()


async def test_every_stream_ends_with_the_process(home: Home) -> None:
    async with home.stream() as answer:
        await answer.content.readline()
        home.inboxes.close()
        rest = await answer.content.read()
    assert rest == b"\n"


async def test_a_page_of_the_shop_may_read_its_stream(home: Home) -> None:
    async with home.stream(Origin="https://shop.example") as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization"}
    async with home.client.options(f"{home.site.url}/inbox", headers=asked) as answer:
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization"


async def test_a_head_of_a_stream_is_no_stream(home: Home) -> None:
    url = f"{home.site.url}/inbox/stream?token={token('ada')}"
    async with home.client.head(url) as answer:
        assert answer.status == 200
    assert home.inboxes.listening == 0


@pytest.mark.parametrize("done", ["click", "dismiss"])
async def test_how_long_a_message_was_looked_at_is_said_by_its_event(home: Home, done: str) -> None:
    path = f"/inbox/{await home.send()}/{done}"
    assert (await home.post(path, {"dwell_ms": 2_400}, headers=bearer("ada"))).status == 204
    event = home.inputs[-1]
    assert isinstance(event, EventReceived)
    assert msgspec.json.decode(event.properties)["dwell_ms"] == 2_400


@pytest.mark.parametrize("said", [{"dwell_ms": -1}, {"dwell_ms": 10**12}, {"dwell": 1}, [1]])
async def test_a_time_that_nobody_can_have_looked_is_refused(home: Home, said: Any) -> None:
    sent = await home.send()
    answer = await home.post(f"/inbox/{sent}/dismiss", said, headers=bearer("ada"))
    assert answer.status == 400
    assert len(await home.listed()) == 1


SURVEY = {**FRONT, "survey": "nps", "choices": "1-5"}


async def test_an_answer_to_a_survey_is_the_event_feedback_given_once(home: Home) -> None:
    sent = await home.send(front=SURVEY)
    (shown,) = await home.listed()
    assert (shown["survey"], shown["choices"]) == ("nps", ["1", "2", "3", "4", "5"])
    for value in (4, 5):
        path, said = f"/inbox/{sent}/answer", {"value": value}
        assert (await home.post(path, said, headers=bearer("ada"))).status == 204
    (event,) = [one for one in home.inputs if getattr(one, "name", "") == "Feedback Given"]
    assert isinstance(event, EventReceived)
    properties = msgspec.json.decode(event.properties)
    assert (properties["survey"], properties["value"]) == ("nps", 4)
    assert properties["campaign"] == "cart-abandonment"


@pytest.mark.parametrize("value", [6, "x", "", None, [1], "4 "])
async def test_what_is_no_answer_is_refused(home: Home, value: Any) -> None:
    sent = await home.send(front=SURVEY)
    answer = await home.post(f"/inbox/{sent}/answer", {"value": value}, headers=bearer("ada"))
    assert answer.status == 400


async def test_a_message_that_asks_nothing_takes_no_answer(home: Home) -> None:
    sent = await home.send()
    answer = await home.post(f"/inbox/{sent}/answer", {"value": 1}, headers=bearer("ada"))
    assert (answer.status, answer.json["code"]) == (404, "inbox.unknown")
