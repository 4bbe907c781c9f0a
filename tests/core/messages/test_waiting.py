"""What a user waits for, held against a plain dict of it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import ids
from engine.core.messages.waiting import (
    FEW,
    Pending,
    by_id,
    compact,
    each_message,
    find_message,
    ids_of,
    put_message,
    take_message,
)
from engine.core.state import User, decode_user, encode_user, new_user

_CAUSES = st.tuples(
    st.sampled_from(["a" * 32, "b" * 32]),
    st.sampled_from(["steps.0", "steps.1"]),
    st.integers(0, 1),
    st.sampled_from(["email", "push"]),
)
_DOINGS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), _CAUSES),
        st.tuples(st.just("report"), _CAUSES),
        st.tuples(st.just("revive"), _CAUSES.map(lambda cause: (ids.effect_id(*cause), cause))),
        # Became another enrollment's, and so has the id of what it was.
        st.tuples(st.just("revive"), st.tuples(st.sampled_from(["old", "older"]), _CAUSES)),
        st.tuples(st.just("save"), st.none()),
    ),
    max_size=40,
)


def message(cause: tuple[str, str, int, str], number: int = 0) -> Pending:
    enrollment, step, iteration, channel = cause
    return Pending(enrollment, "c", step, channel, "t", number, iteration=iteration)


def told(messages: dict[str, Pending]) -> list[tuple[str, Pending]]:
    return list(messages.items())


def waits_as(user: User, expected: dict[str, Pending]) -> None:
    """The same messages in the same order, by every way to ask."""
    assert told(by_id(user.pending)) == told(expected)
    assert list(each_message(user.pending)) == list(expected.values())
    pushed = [effect_id for effect_id, one in expected.items() if one.channel == "push"]
    assert ids_of(user.pending, lambda one: one.channel == "push") == pushed
    assert len(user.pending) == len(expected)
    assert bool(user.pending) == bool(expected)
    for effect_id in [*expected, "nobody's"]:
        assert find_message(user.pending, effect_id) == expected.get(effect_id)


@given(_DOINGS)
def test_it_is_as_a_dict_of_the_messages_whatever_is_sent_and_reported(
    doings: list[tuple[str, Any]],
) -> None:
    user, expected = new_user("u"), dict[str, Pending]()
    for number, (doing, about) in enumerate(doings):
        if doing == "save":
            user = decode_user(encode_user(user))
        elif doing == "report":
            effect_id = ids.effect_id(*about)
            assert take_message(user, effect_id) == expected.pop(effect_id, None)
        elif doing == "revive":
            effect_id, cause = about
            one = expected[effect_id] = message(cause, number)
            user.pending = compact({**by_id(user.pending), effect_id: one})
        else:
            one = message(about, number)
            expected[one.following_id] = one
            put_message(user, one.following_id, one)
        waits_as(user, expected)


@pytest.mark.parametrize("count", range(1, FEW + 2))
def test_saved_they_are_a_dict_by_id_however_many_there_are(count: int) -> None:
    user, plain = new_user("u"), new_user("u")
    for number in range(count):
        one = message(("e", "s", number, "email"))
        put_message(user, one.following_id, one)
    plain.pending = dict(by_id(user.pending))
    saved = msgspec.msgpack.decode(encode_user(user))
    assert saved["pending"].keys() == plain.pending.keys()
    assert encode_user(user) == encode_user(plain)
    assert isinstance(decode_user(encode_user(user)).pending, tuple) == (count <= FEW)


def test_a_message_whose_id_does_not_follow_from_it_is_found_by_the_id_that_it_has() -> None:
    user, one = new_user("u"), message(("e", "s", 0, "email"))
    user.pending = compact({"given": one})
    again = decode_user(encode_user(user))
    assert told(by_id(again.pending)) == [("given", one)]
    assert find_message(again.pending, one.following_id) is None


def test_who_waits_for_nothing_any_more_is_saved_as_who_never_did() -> None:
    user = new_user("u")
    for messages in ((message(("e", "s", 0, "email")),), {"given": message(("e", "s", 0, "sms"))}):
        user.pending = messages
        for effect_id in list(by_id(user.pending)):
            take_message(user, effect_id)
        assert encode_user(user) == encode_user(new_user("u"))


def test_saving_leaves_a_user_as_he_is() -> None:
    user = new_user("u")
    put_message(user, (one := message(("e", "s", 0, "email"))).following_id, one)
    before = user.pending
    encode_user(user)
    assert user.pending is before
