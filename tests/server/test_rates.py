"""Keys have a rate, bad ones a rate for each address; time is the tests'."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.serving import WriteKey
from engine.core.plan import Plan
from engine.server import Limits
from engine.server.answers import Refusal
from engine.server.machines import network_of
from engine.server.rates import ADDRESSES_MAX, BAD_KEYS_BURST, BadKeys, Bucket
from tests.core.world import MINUTE, campaign, wait
from tests.server.house import KEY, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECOND_NS = 1_000_000_000
EVENT = {"user_id": "u1", "event": "E"}
LIMITS = Limits(rate=2, events_max=10)
"""Two a second: a burst of 3 times that would be 6, but one body has always room."""

KEYS = (
    WriteKey(key=KEY),
    WriteKey(key="slow", rate=1),
    WriteKey(key="fast", rate=0),
)


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[House]:
    house = await House.start(tmp_path, LIMITS, keys=KEYS)
    yield house
    await house.aclose()


def refused(house: House, why: str) -> float:
    return house.metrics.registry.get_sample_value(
        "hairspring_requests_refused_total", {"why": why}
    ) or 0.0  # fmt: skip


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(10, 30)
    now_ns = 5 * SECOND_NS

    assert bucket.take(30, now_ns) == 0
    assert bucket.take(1, now_ns) == SECOND_NS // 10
    assert bucket.take(1, now_ns + SECOND_NS // 10) == 0
    assert bucket.take(20, now_ns + SECOND_NS) > 0
    assert bucket.take(9, now_ns + SECOND_NS) == 0
    # However long nobody asks, a burst is no more than that.
    assert bucket.take(31, now_ns + 1_000 * SECOND_NS) > 0
    assert bucket.take(30, now_ns + 1_000 * SECOND_NS) == 0


async def test_a_key_sends_a_burst_and_then_hears_429_until_there_is_room(limited: House) -> None:
    whole = await limited.post("/events", [EVENT] * 10)
    over = await limited.post("/events", EVENT)
    limited.monotonic_ns += SECOND_NS // 2
    after = await limited.post("/events", EVENT)

    assert (whole.status, over.status, after.status) == (200, 429, 200)
    assert over.headers["Retry-After"] == "1"
    assert over.headers["Content-Type"] == "application/problem+json"
    assert (over.json["status"], over.json["code"]) == (429, "rate.exceeded")
    assert "server.rate" in over.json["detail"]
    assert refused(limited, "rate") == 1
    assert len(limited.inputs) == 11


async def test_of_a_body_that_is_too_much_nothing_is_taken_and_nothing_counts(
    limited: House,
) -> None:
    await limited.post("/events", [EVENT] * 5)
    over = await limited.post("/events", [EVENT] * 8)
    room = await limited.post("/events", [EVENT] * 5)

    assert (over.status, over.headers["Retry-After"], room.status) == (429, "2", 200)
    assert len(limited.inputs) == 10


async def test_sdk_routes_say_429_in_the_form_that_sdks_read(limited: House) -> None:
    call = {"userId": "u1", "event": "E"}
    await limited.post("/v1/batch", {"batch": [{"type": "track", **call}] * 10})
    answers = [
        await limited.post("/v1/track", call),
        await limited.post("/v1/batch", {"batch": [{"type": "track", **call}] * 3}),
        await limited.post("/v1/scores", {"user_id": "u1", "model": "m", "score": 0.5}),
    ]

    for answer in answers:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json["success"] is False
        assert answer.json["code"] == "rate.exceeded"
        assert answer.json["message"]


async def test_each_key_has_a_rate_of_its_own(limited: House) -> None:
    def bearer(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    await limited.post("/events", [EVENT] * 10)
    slow = [
        (await limited.post("/events", [EVENT] * 5, headers=bearer("slow"))).status
        for _ in range(3)
    ]
    fast = [
        (await limited.post("/events", [EVENT] * 10, headers=bearer("fast"))).status
        for _ in range(5)
    ]
    in_body = await limited.post("/events", {**EVENT, "writeKey": "slow"}, headers={})

    assert slow == [200, 200, 429]
    assert fast == [200] * 5
    assert in_body.status == 429


async def test_items_that_are_quarantined_count_too(limited: House) -> None:
    none = await limited.post("/events", [{}] * 10)
    over = await limited.post("/events", [{}])

    assert (none.status, over.status) == (400, 429)
    assert len(limited.quarantined) == 10


async def test_what_comes_too_fast_is_counted_and_not_logged(limited: House) -> None:
    await limited.post("/events", [EVENT] * 10)
    await limited.post("/events", EVENT)

    line = limited.lines.entries[-1]
    assert (line["status"], line["log_level"]) == (429, "debug")


async def test_starts_by_hand_have_a_rate_a_key(tmp_path: Path) -> None:
    plan = Plan("p", [campaign("c", wait(MINUTE))])
    house = await House.start(tmp_path, LIMITS, plan=plan, trigger_keys=("one", "two"))
    one, two = ({"Authorization": f"Bearer {key}"} for key in ("one", "two"))
    many = {"campaign": "c", "user_ids": [f"u{n}" for n in range(10)]}
    answers = [
        await house.post("/trigger", many, headers=one),
        await house.post("/trigger", {"campaign": "c", "user_id": "u"}, headers=one),
        await house.post("/trigger", many, headers=two),
    ]
    house.monotonic_ns += SECOND_NS
    answers.append(await house.post("/trigger", {"campaign": "c", "user_id": "u"}, headers=one))
    await house.aclose()

    assert [answer.status for answer in answers] == [200, 429, 200, 200]
    assert answers[1].headers["Retry-After"] == "1"
    assert answers[1].json["code"] == "rate.exceeded"


async def test_an_address_that_sends_bad_keys_is_told_to_wait_and_good_ones_go_through(
    limited: House,
) -> None:
    bad = {"Authorization": "Bearer nobody"}
    said = [
        (await limited.post("/events", EVENT, headers=bad)).status
        for _ in range(BAD_KEYS_BURST + 1)
    ]
    over = await limited.post("/v1/track", EVENT, headers=bad)
    good = await limited.post("/events", EVENT)
    limited.monotonic_ns += SECOND_NS
    after = await limited.post("/events", EVENT, headers=bad)

    assert said == [401] * BAD_KEYS_BURST + [429]
    assert (over.status, over.json["code"]) == (429, "key.too_many")
    assert over.headers["Retry-After"] == "1"
    assert (good.status, after.status) == (200, 401)
    assert refused(limited, "key") == BAD_KEYS_BURST + 3


def test_addresses_that_are_remembered_are_bounded() -> None:
    bad = BadKeys(lambda: 0)
    for number in range(ADDRESSES_MAX + 10):
        bad.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(bad._buckets) == ADDRESSES_MAX


def test_who_has_been_quiet_is_forgotten() -> None:
    now_ns = 0
    bad = BadKeys(lambda: now_ns)
    for number in range(100):
        bad.note(f"10.0.0.{number}")
    now_ns = SECOND_NS
    bad.note("10.0.1.1")

    assert len(bad._buckets) == 1


def test_a_network_of_ipv6_is_one_address() -> None:
    bad = BadKeys(lambda: 0)
    for number in range(BAD_KEYS_BURST):
        bad.note(f"2001:db8::{number:x}")
    with pytest.raises(Refusal):
        bad.note("2001:db8::ffff:1")
    bad.note("2001:db8:0:1::1")

    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1")
