"""What users who come from the store have in common with each other."""

from __future__ import annotations

from engine.core.messages.waiting import Pending, each_message
from engine.core.sharing import NOTHING
from engine.core.state import Ended, Enrollment, decode_user, encode_user, new_user


def _name(text: str) -> str:
    """A string of its own, as one that was read."""
    return text.encode().decode()


def _saved(user_id: str) -> bytes:
    user = new_user(user_id)
    campaign, entered_at_ms = _name("cart-abandonment"), 1_700_000_000_000
    user.enrollments = (
        Enrollment(
            f"e of {user_id}", campaign, "", entered_at_ms, entered_at_ms,
            signature=_name("wait-one-hour"), event_name=_name("Product Added"),
        ),
    )  # fmt: skip
    user.ended = (Ended(f"ended of {user_id}", campaign, entered_at_ms),)
    names = [_name(one) for one in ("first-mail", "email", "cart-reminder")]
    sent = Pending(f"e of {user_id}", campaign, *names, entered_at_ms,
                   sent_at_ms=entered_at_ms + 0, topic=_name("carts-left"))  # fmt: skip
    user.pending = (sent,)
    return encode_user(user)


def test_messages_that_wait_hold_each_name_of_the_plan_once_for_all_users() -> None:
    one, other = decode_user(_saved("one")), decode_user(_saved("other"))
    (sent,), (also_sent,) = each_message(one.pending), each_message(other.pending)
    for name in ("campaign", "step", "channel", "template", "topic"):
        assert getattr(sent, name) is getattr(also_sent, name)
    assert sent.sent_at_ms is sent.entered_at_ms


def test_enrollments_hold_each_name_of_the_plan_once_for_all_users() -> None:
    one, other = decode_user(_saved("one")), decode_user(_saved("other"))
    for name in ("campaign", "event_name", "signature"):
        assert getattr(one.enrollments[0], name) is getattr(other.enrollments[0], name)
    assert one.ended[0].campaign is one.enrollments[0].campaign


def test_who_has_nothing_has_the_same_nothing_as_everybody() -> None:
    user = decode_user(encode_user(new_user("u")))
    assert user.traits is user.history is user.details is NOTHING
    assert user.pending is new_user("v").pending


def test_who_was_read_is_who_was_saved() -> None:
    assert encode_user(decode_user(_saved("one"))) == _saved("one")
