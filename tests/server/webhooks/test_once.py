"""Tokens that are good for one call."""

from __future__ import annotations

import pytest

from engine.server.answers import Refusal
from engine.server.webhooks import once
from engine.server.webhooks.once import Tokens
from engine.server.webhooks.signatures import TOLERANCE_MS

NOW_MS = 1_767_225_600_000


def is_taken(tokens: Tokens, token: str, now_ms: int) -> bool:
    try:
        with tokens.taken(token, now_ms):
            return True
    except Refusal as refusal:
        return refusal.code != "webhook.again"


def test_a_token_is_refused_as_long_as_its_signature_is_good() -> None:
    tokens = Tokens()
    assert is_taken(tokens, "t1", NOW_MS)
    assert not is_taken(tokens, "t1", NOW_MS)
    # Signed by a clock that is five minutes ahead, it is good for ten.
    assert is_taken(tokens, "t2", NOW_MS + 2 * TOLERANCE_MS)
    assert not is_taken(tokens, "t1", NOW_MS + 2 * TOLERANCE_MS)
    assert is_taken(tokens, "t3", NOW_MS + 2 * TOLERANCE_MS + 1)
    assert is_taken(tokens, "t1", NOW_MS + 2 * TOLERANCE_MS + 1)


def test_two_calls_at_once_with_one_token_are_one() -> None:
    tokens = Tokens()
    with tokens.taken("t1", NOW_MS):
        assert not is_taken(tokens, "t1", NOW_MS)


def test_a_token_whose_call_failed_is_good_once_more() -> None:
    tokens = Tokens()
    with pytest.raises(Refusal), tokens.taken("t1", NOW_MS):
        raise Refusal(503, "unavailable", "the disk is full")
    assert is_taken(tokens, "t1", NOW_MS)


def test_no_more_than_so_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "TOKENS_MAX", 2)
    tokens = Tokens()
    for token in ("t1", "t2", "t3"):
        assert is_taken(tokens, token, NOW_MS)
    assert not is_taken(tokens, "t3", NOW_MS)
    assert is_taken(tokens, "t1", NOW_MS)
