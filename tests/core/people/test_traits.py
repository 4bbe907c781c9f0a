from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.effects import Effect, QuarantineInput
from engine.core.inputs import UserIdentified
from engine.core.intake.items import TRAITS_MAX
from engine.core.people.traits import CONSENT_CHANNELS, TRAITS_BYTES_MAX, merge_traits, tell
from engine.core.plan import Plan
from engine.core.state import User, decode_user, encode_user, new_user
from engine.core.transition import step
from tests.core.world import START, World, campaign, send


def say(known: User, traits: Any) -> str:
    return tell(known, msgspec.Raw(msgspec.json.encode(traits)))


def size(known: User) -> int:
    return len(msgspec.msgpack.encode(known.traits))


def user(**traits: Any) -> User:
    known = new_user("u")
    assert say(known, traits) == ""
    return known


def test_the_size_kept_is_never_less_than_that_of_the_saved_traits() -> None:
    known = new_user("u")
    for said in (
        {"a": 1, "consent": {"email": True}},
        {"a": "x" * 300, "b": None, "consent": {"sms": False}},
        {f"k{n}": [n, 0.5] for n in range(40)},
        {"a": 2**70, "consent": 5},
        {"consent": {f"{n}": True for n in range(20)}},
        {"consent": {f"more {n}": True for n in range(20)}},
        "nothing",
    ):
        assert say(known, said) == ""
        assert known.traits_bytes >= size(known)


def test_the_same_said_again_and_again_stays_within_the_bound() -> None:
    known = user(a="x" * 60_000)
    for number in range(2_000):
        assert say(known, {"b": number, "c": "y" * 2_000}) == ""
    assert size(known) <= known.traits_bytes <= TRAITS_BYTES_MAX


def test_one_trait_too_many_is_refused_and_changes_nothing() -> None:
    known = user(**{f"k{n}": n for n in range(TRAITS_MAX)})
    before = dict(known.traits)
    assert say(known, {"k0": "other", "new": 1}) == (
        f"the user would have {TRAITS_MAX + 1} traits, more than {TRAITS_MAX}"
    )
    assert known.traits == before
    assert say(known, {"k0": "other"}) == ""
    assert known.traits["k0"] == "other"


def test_many_large_traits_stay_within_the_bound() -> None:
    known = new_user("u")
    told = [say(known, {f"k{n}": "x" * 30_000}) for n in range(40)]
    assert told[:2] == ["", ""]
    assert all(reason.endswith(f"more than {TRAITS_BYTES_MAX}") for reason in told[2:])
    assert len(encode_user(known)) < TRAITS_BYTES_MAX + 100


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_the_bound_is_exact(more: int, *, fits: bool) -> None:
    known = user(a="x" * 30_000)
    room = TRAITS_BYTES_MAX - size(known) - 2 - 3  # the key, and the head of a long text
    assert (say(known, {"b": "x" * (room + more)}) == "") == fits
    assert (size(known) == TRAITS_BYTES_MAX) == fits


def test_a_full_user_may_say_something_shorter() -> None:
    known = user(a="x" * 40_000, b="y" * 20_000)
    assert say(known, {"b": "y" * 30_000}) != ""
    assert say(known, {"b": "short", "c": "z" * 15_000}) == ""


def test_who_was_saved_with_more_than_the_bound_is_measured_and_may_only_shrink() -> None:
    known = decode_user(msgspec.msgpack.encode({"user_id": "u", "traits": {"a": "x" * 100_000}}))
    assert known.traits_bytes == 0
    assert say(known, {"b": 1}) != ""
    assert say(known, {"a": "x" * 90_000}) == ""
    assert say(known, {"a": ""}) == ""
    assert say(known, {"b": 1}) == ""


def test_of_a_refused_identify_the_consent_is_taken() -> None:
    known = user(a="x" * 60_000, consent={"email": True, "sms": True})
    said = {"b": "y" * 30_000, "consent": {"email": False, "fax": "z" * 9_999, "push": "no"}}
    assert say(known, said) != ""
    assert known.traits["consent"] == {"email": False, "sms": True}
    assert "b" not in known.traits
    assert known.traits_bytes >= size(known)


def test_consent_by_channels_that_are_none_fills_the_bound_like_any_trait() -> None:
    known = new_user("u")
    told = [say(known, {"consent": {f"{n:05}": "x" * 900}}) for n in range(100)]
    assert told[-1] != ""
    assert len(encode_user(known)) < TRAITS_BYTES_MAX + 100


def test_a_refused_identify_is_handed_over_for_the_quarantine() -> None:
    known, effects = user(a="x" * 60_000), list[Effect]()
    raw = msgspec.Raw(msgspec.json.encode({"b": "y" * 30_000}))
    said = UserIdentified("u", START, START, raw, at_ms=START)
    step(Plan("p"), known, said, effects)
    (refused,) = effects
    assert isinstance(refused, QuarantineInput)
    assert refused.identified is said
    assert refused.path == "$.traits"
    assert "more than 65536" in refused.reason


def test_a_refused_identify_changes_nothing_of_what_goes_out_later() -> None:
    world = World(campaign("c", send("email")))
    world.identify(0, email="a@example.com", consent={"email": True}, a="x" * 60_000)
    world.identify(1, email="b@example.com", a="y" * 65_536)
    assert world.event("Go", 2)[1] == "2 c sent steps.0 email"
    assert b"a@example.com" in bytes(world.messages[0].snapshot)


def test_a_no_to_everything_is_taken_of_a_refused_identify_too() -> None:
    known = user(a="x" * 60_000, consent={"email": True})
    assert say(known, {"b": "y" * 30_000, "consent": False}) != ""
    assert known.traits["consent"] is False


def test_after_a_no_to_everything_a_yes_opens_its_own_channel_alone() -> None:
    merged = merge_traits({"consent": False}, {"consent": {"email": True}})
    assert merged["consent"] == {**dict.fromkeys(CONSENT_CHANNELS, False), "email": True}


def test_one_subscription_goes_behind_those_of_other_browsers_and_a_list_in_their_place() -> None:
    one, two = {"endpoint": "https://p/1", "keys": {}}, {"endpoint": "https://p/2", "keys": {}}
    renewed = {"endpoint": "https://p/1", "keys": {"auth": "new"}}
    assert merge_traits({}, {"push": one}) == {"push": one}
    assert merge_traits({"push": one}, {"push": two}) == {"push": [one, two]}
    assert merge_traits({"push": [one, two]}, {"push": renewed}) == {"push": [two, renewed]}
    assert merge_traits({"push": one}, {"push": renewed}) == {"push": renewed}
    assert merge_traits({"push": [one, two]}, {"push": [two]}) == {"push": [two]}
    assert merge_traits({"push": [one]}, {"push": None}) == {"push": None}
    many = [{"endpoint": f"https://q/{number}"} for number in range(20)]
    assert merge_traits({"push": many}, {"push": one}) == {"push": [*many[1:], one]}
    assert merge_traits({"push": "nonsense"}, {"push": one}) == {"push": one}
    assert merge_traits({"push": "[" * 5_000}, {"push": one}) == {"push": one}
