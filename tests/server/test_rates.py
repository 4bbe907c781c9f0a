"""Keys have a rate, bad ones a rate for each address; time is the tests'."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from config.serving import WriteKey
from engine.core.plan import Plan
from engine.server import Limits
from engine.server.machines import network_of
from engine.server.rates import ADDRESSES_MAX, BAD_KEYS_BURST, Addresses, Bucket
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
    assert limited.refused("rate") == 1
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


async def of_each(path: Path) -> House:
    """A key of which each address may send two a second of ten; a body has up to four events."""
    keys = (WriteKey(key=KEY, rate=10, rate_each=2),)
    limits = Limits(rate=2, events_max=4)
    return await House.start(path, limits, keys=keys, proxies=("127.0.0.1",))


def by(client: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}", "X-Forwarded-For": client}


async def test_an_address_over_its_rate_waits_and_others_go_on(tmp_path: Path) -> None:
    house = await of_each(tmp_path)
    said = [
        (await house.post("/events", EVENT, headers=by("203.0.113.7"))).status for _ in range(6)
    ]
    over = await house.post("/events", EVENT, headers=by("203.0.113.7"))
    of_sdk = await house.post("/v1/track", {"userId": "u", **EVENT}, headers=by("203.0.113.7"))
    other = await house.post("/events", EVENT, headers=by("203.0.113.8"))
    house.monotonic_ns += SECOND_NS // 2
    after = await house.post("/events", EVENT, headers=by("203.0.113.7"))
    await house.aclose()

    assert said == [200] * 6
    assert (over.status, over.json["code"], over.headers["Retry-After"]) == (
        429,
        "rate.exceeded",
        "1",
    )
    assert over.headers["Content-Type"] == "application/problem+json"
    assert "2 events a second by this address (rate_each of the write key)" in over.json["detail"]
    assert (of_sdk.status, of_sdk.json["success"]) == (429, False)
    assert (other.status, after.status) == (200, 200)
    assert (house.refused("address"), house.refused("rate")) == (2, 0)


async def test_what_is_refused_to_an_address_takes_nothing_of_its_key(tmp_path: Path) -> None:
    house = await of_each(tmp_path)
    hostile = [
        (await house.post("/events", [EVENT] * 3, headers=by("203.0.113.7"))).status
        for _ in range(50)
    ]
    # The key has 30 at once: 6 of them went to the hostile one.
    others = [
        (await house.post("/events", [EVENT] * 4, headers=by(f"203.0.113.{n}"))).status
        for n in range(100, 106)
    ]
    over = await house.post("/events", EVENT, headers=by("203.0.113.200"))
    await house.aclose()

    assert hostile == [200] * 2 + [429] * 48
    assert others == [200] * 6
    assert (over.status, house.refused("rate")) == (429, 1)
    assert "this write key" in over.json["detail"]
    assert len(house.inputs) == 30


async def test_what_is_refused_to_a_key_takes_nothing_of_an_address(tmp_path: Path) -> None:
    house = await of_each(tmp_path)
    for n in range(5):
        await house.post("/events", [EVENT] * 4, headers=by(f"203.0.113.{n}"))
        await house.post("/events", [EVENT] * 2, headers=by(f"203.0.113.{n}"))
    full = [
        (await house.post("/events", [EVENT] * 4, headers=by("203.0.113.7"))).status
        for _ in range(20)
    ]
    house.monotonic_ns += SECOND_NS
    room = await house.post("/events", [EVENT] * 4, headers=by("203.0.113.7"))
    more = await house.post("/events", [EVENT] * 2, headers=by("203.0.113.7"))
    await house.aclose()

    assert full == [429] * 20
    assert (house.refused("rate"), house.refused("address")) == (20, 0)
    assert (room.status, more.status) == (200, 200)


async def test_a_client_of_ipv6_is_its_network(tmp_path: Path) -> None:
    house = await of_each(tmp_path)
    said = [
        (await house.post("/events", EVENT, headers=by(f"2001:db8::{n:x}"))).status
        for n in range(7)
    ]
    other = await house.post("/events", EVENT, headers=by("2001:db8:0:1::1"))
    await house.aclose()

    assert (said, other.status) == ([200] * 6 + [429], 200)


async def test_a_picture_and_a_beacon_count_for_their_address_too(tmp_path: Path) -> None:
    house = await of_each(tmp_path)
    said = []
    for n in range(4):
        where = f"/track?user_id=u{n}&event=E"
        said.append((await house.get(where, headers={"X-Forwarded-For": "203.0.113.7"})).status)
        said.append((await house.post(where, EVENT, headers=by("203.0.113.7"))).status)
    await house.aclose()

    assert said == [200] * 6 + [429] * 2


async def test_the_address_is_the_peers_where_no_proxy_is_listed(tmp_path: Path) -> None:
    keys = (WriteKey(key=KEY, rate_each=1),)
    house = await House.start(tmp_path, Limits(rate=0, events_max=1), keys=keys)
    said = [
        (await house.post("/events", EVENT, headers=by(f"203.0.113.{n}"))).status for n in range(4)
    ]
    await house.aclose()

    assert said == [200] * 3 + [429]


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
    assert limited.refused("key") == BAD_KEYS_BURST + 3


async def test_who_guesses_at_a_trigger_key_is_refused_with_the_right_one_too(
    tmp_path: Path,
) -> None:
    house = await House.start(tmp_path, trigger_keys=("a-trigger-key",))
    asked = {"user_id": "ada", "trigger_type": "nothing"}
    right = {"Authorization": "Bearer a-trigger-key"}
    tries = [
        (await house.post("/trigger", asked, headers={"Authorization": f"Bearer {n}"})).status
        for n in range(BAD_KEYS_BURST)
    ]
    over = await house.post("/trigger", asked, headers=right)
    events = await house.post("/events", EVENT)
    house.monotonic_ns += SECOND_NS
    after = await house.post("/trigger", asked, headers=right)
    refused = house.refused("key")
    await house.aclose()

    assert set(tries) == {401}
    assert (over.status, over.json["code"]) == (429, "key.too_many")
    assert over.headers["Retry-After"] == "1"
    assert (events.status, after.status) == (200, 404)
    assert refused == BAD_KEYS_BURST + 1


def test_addresses_that_are_remembered_are_bounded() -> None:
    addresses = Addresses(lambda: Bucket(1, 1))
    for number in range(ADDRESSES_MAX + 10):
        addresses.of(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0).take(1, 0)

    assert len(addresses) == ADDRESSES_MAX


def test_who_has_been_quiet_is_forgotten() -> None:
    addresses = Addresses(lambda: Bucket(10, 100))
    for number in range(100):
        addresses.of(f"10.0.0.{number}", 0).take(1, 0)
    addresses.of("10.0.1.1", SECOND_NS)

    assert len(addresses) == 1


def test_who_asks_on_is_counted_however_many_others_come() -> None:
    addresses = Addresses(lambda: Bucket(1, 10), most=4)
    addresses.of("203.0.113.7", 0).take(10, 0)
    for number in range(20):
        addresses.of(f"10.0.0.{number}", 0).take(1, 0)
        assert addresses.of("203.0.113.7", 0).take(1, 0) == SECOND_NS
    for number in range(20, 24):
        addresses.of(f"10.0.0.{number}", 0).take(1, 0)

    assert addresses.of("203.0.113.7", 0).take(10, 0) == 0


class Model:
    """Tokens that trickle in, a list of addresses, and no cleverness."""

    def __init__(self, rate: int, burst: int, most: int) -> None:
        self.rate = rate
        self.burst = burst
        self.most = most
        self.kept: list[tuple[str, Fraction, int]] = []  # who was silent longest first

    def tokens(self, left: Fraction, at_ns: int, now_ns: int) -> Fraction:
        return min(Fraction(self.burst), left + Fraction(now_ns - at_ns) * self.rate / SECOND_NS)

    def take(self, address: str, count: int, now_ns: int) -> bool:
        found = [one for one in self.kept if one[0] == address]
        if found:
            left = self.tokens(*found[0][1:], now_ns)
            self.kept.remove(found[0])
        else:
            left = Fraction(self.burst)
            while self.kept and (
                len(self.kept) >= self.most or self.tokens(*self.kept[0][1:], now_ns) == self.burst
            ):
                self.kept.pop(0)
        is_let_in = left >= count
        self.kept.append((address, left - count if is_let_in else left, now_ns))
        return is_let_in


asked = st.tuples(
    st.integers(0, 6), st.integers(1, 5), st.sampled_from([0, 0, 1, 40, 60, 250, 1_000])
)


@examples(deadline=None)
@given(st.sampled_from([1, 2, 5, 10]), st.integers(5, 12), st.lists(asked, max_size=60))
def test_addresses_have_buckets_as_a_list_of_them_would_give(
    rate: int, burst: int, asked: list[tuple[int, int, int]]
) -> None:
    addresses, model = Addresses(lambda: Bucket(rate, burst), most=4), Model(rate, burst, 4)
    now_ns = 10**18
    for number, count, later_ms in asked:
        now_ns += later_ms * 1_000_000
        address = f"10.0.0.{number}"
        wait_ns = addresses.of(address, now_ns).take(count, now_ns)

        assert model.take(address, count, now_ns) == (wait_ns == 0)
        assert len(addresses) == len(model.kept) <= 4
        # What it is told to wait is enough, and not a moment too much.
        bucket = addresses.known(address)
        assert bucket is not None
        if wait_ns:
            assert bucket.take(count, now_ns + wait_ns - 1) == 1
            assert bucket.take(count, now_ns + wait_ns) == 0
            bucket.give_back(count)


def test_a_network_of_ipv6_is_one_address() -> None:
    addresses = Addresses(lambda: Bucket(1, 10))
    waits = [addresses.of(f"2001:db8::{number:x}", 0).take(1, 0) for number in range(11)]

    assert waits == [0] * 10 + [SECOND_NS]
    assert addresses.of("2001:db8:0:1::1", 0).take(1, 0) == 0
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1")
