from __future__ import annotations

import pytest

from engine.core.inputs import UserScored
from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.core.state import decode_user, encode_user
from tests.core.world import START, World
from tests.core.written import campaigns

AT_RISK = """
campaign: at-risk
enter:
  when: score("churn") >= 0.8 && user.plan == "pro"
steps: [{send: push, template: t, id: s}]
"""
LIKED = """
campaign: liked
enter:
  event: Go
  when: score("taste") > 0.5
steps: [{wait: 1h, id: w}]
"""


def score(world: World, at: int, model: str, value: float) -> list[str]:
    world.processor.take(UserScored("u", model, value, START + at, START + at), START + at)
    return world.commit()


def test_a_score_brings_in_whoever_a_condition_becomes_true_of_by_it() -> None:
    world = World(*campaigns(AT_RISK))
    world.identify(0, plan="pro", push="token")
    assert score(world, 1, "churn", 0.79) == []
    assert score(world, 2, "churn", 0.8)[0] == "2 at-risk entered"
    assert score(world, 3, "churn", 0.9) == []
    assert score(world, 4, "churn", 0.1) == []
    assert score(world, 5, "churn", 1.0)[0] == "5 at-risk entered"


def test_the_first_word_on_a_user_may_bring_him_in() -> None:
    alone = AT_RISK.replace(' && user.plan == "pro"', "")
    world = World(*campaigns(alone))
    assert score(world, 1, "churn", 1.0)[0] == "1 at-risk entered"


def test_the_latest_score_of_a_model_counts_and_none_is_an_error() -> None:
    world = World(*campaigns(LIKED))
    assert world.event("Go", 0) == []
    assert world.processor.errors == {"liked": 1}
    score(world, 1, "taste", 0.9)
    score(world, 2, "taste", 0.5)
    assert world.event("Go", 3) == []
    score(world, 4, "taste", 0.51)
    assert world.event("Go", 5) == ["5 liked entered"]
    assert world.processor.errors == {"liked": 1}


def test_scores_are_kept_of_models_that_a_condition_names_and_as_long() -> None:
    world = World(*campaigns(LIKED))
    score(world, 0, "taste", 0.9)
    score(world, 1, "other", 0.9)
    assert world.user().scores == {"taste": 0.9}
    assert decode_user(encode_user(world.user())).scores == {"taste": 0.9}
    world.adopt(*campaigns(AT_RISK), at=2)
    assert world.user().scores == {}


def test_a_score_is_no_activity() -> None:
    world = World(*campaigns(AT_RISK))
    score(world, 5, "churn", 0.5)
    assert world.user().last_seen_at_ms == 0


def test_a_score_is_read_from_the_native_form() -> None:
    item = decode_item(b'{"type":"score","user_id":7,"model":"churn","score":1,"message_id":"m"}')
    assert read_item(item, 5) == UserScored("7", "churn", 1.0, 5, 5, "m")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ('"user_id":"u","model":"m"', "$.score: missing"),
        ('"user_id":"u","model":"m","score":1.01', "$.score: is no number from 0.0 to 1.0"),
        ('"user_id":"u","model":"m","score":-0.01', "$.score: is no number from 0.0 to 1.0"),
        ('"user_id":"u","model":"m","score":"0.5"', "$.score: is no number from 0.0 to 1.0"),
        ('"user_id":"u","model":"m","score":null', "$.score: is no number from 0.0 to 1.0"),
        ('"user_id":"u","model":"m","score":true', "$.score: is no number from 0.0 to 1.0"),
        ('"user_id":"u","model":"m","score":1e999', "$.score: is no number from 0.0 to 1.0"),
        ('"user_id":"u","score":0.5', "$.model: missing"),
        ('"user_id":"u","model":"","score":0.5', "$.model: empty"),
        ('"model":"m","score":0.5', "$.user_id: missing"),
    ],
)
def test_what_is_no_score_is_told(said: str, fault: str) -> None:
    item = decode_item(f'{{"type":"score",{said}}}'.encode())
    with pytest.raises(ItemInvalid) as told:
        read_item(item, 5)
    assert told.value.text.startswith(fault)
