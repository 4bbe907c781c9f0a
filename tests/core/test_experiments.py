from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING

import msgspec
import pytest

from config import load_shop
from engine.core.experiments import HELD_OUT, draw, experiment_of
from engine.core.policy import Policy
from engine.core.state import decode_user, encode_user
from tests.core.world import HOUR, START, World

if TYPE_CHECKING:
    from engine.core.plan import Campaign

Weights = dict[str, float]

IDS = [f"user-{number}" for number in range(20_000)]
EXPERIMENT = experiment_of("c", "copy")


def drawn(weights: Weights, experiment: str = EXPERIMENT) -> list[str]:
    return [draw(user_id, experiment, weights) for user_id in IDS]


def shares(weights: Weights) -> Weights:
    total = sum(weights.values())
    return {variant: weight / total for variant, weight in weights.items()}


def distance(one: Weights, other: Weights) -> float:
    """Total variation: the least share of users that a change of shares can move."""
    keys = one.keys() | other.keys()
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in keys) / 2


@pytest.mark.parametrize(
    ("weights", "chi_square_max"),
    # The 99.9 % quantiles of chi-square for 1, 1, 2, 3 and 9 degrees of freedom.
    [
        ({"a": 1, "b": 1}, 10.83),
        ({"a": 1, "b": 99}, 10.83),
        ({"a": 1, "b": 2, "c": 4}, 13.82),
        ({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}, 16.27),
        ({f"v{number}": 1 for number in range(10)}, 27.88),
    ],
)
def test_the_shares_of_variants_are_their_weights(weights: Weights, chi_square_max: float) -> None:
    counts = Counter(drawn(weights))
    expected = {variant: share * len(IDS) for variant, share in shares(weights).items()}
    assert sum((counts[v] - n) ** 2 / n for v, n in expected.items()) < chi_square_max


def test_weights_in_another_order_or_scale_draw_the_same() -> None:
    assert drawn({"a": 1, "b": 2, "c": 3}) == drawn({"c": 30, "a": 10, "b": 20})


def test_two_experiments_are_drawn_apart_from_each_other() -> None:
    weights: Weights = {"a": 1, "b": 1}
    pairs = Counter(zip(drawn(weights), drawn(weights, experiment_of("d", "copy")), strict=True))
    assert len(pairs) == 4
    assert all(abs(count - 5_000) < 4 * sqrt(20_000 * 3 / 16) for count in pairs.values())


@pytest.mark.parametrize("weight", [0.25, 0.9, 2, 100])
def test_one_changed_weight_moves_users_to_or_from_that_variant_alone(weight: float) -> None:
    before: Weights = {"a": 1, "b": 1, "c": 2}
    old, new = drawn(before), drawn(before | {"a": weight})
    moved = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    assert {pair[0 if weight < 1 else 1] for pair in moved} == {"a"}
    # As many as the counts differ by: no assignment with these counts moves fewer.
    assert len(moved) == distance(Counter(old), Counter(new))  # type: ignore[arg-type]
    assert moved


def test_a_variant_that_goes_gives_its_users_to_the_others_and_moves_nobody_else() -> None:
    old, new = drawn({"a": 1, "b": 1, "c": 2}), drawn({"a": 1, "c": 2})
    assert all(one == "b" for one, other in zip(old, new, strict=True) if one != other)


def test_a_move_between_two_variants_is_the_least_that_there_is() -> None:
    old, new = drawn({"a": 1, "b": 3}), drawn({"a": 7, "b": 2})
    moved = sum(one != other for one, other in zip(old, new, strict=True))
    assert moved == distance(Counter(old), Counter(new))  # type: ignore[arg-type]


def test_several_changed_weights_move_as_few_as_a_consistent_draw_can() -> None:
    before, after = (
        shares({"a": 4, "b": 2, "c": 1, "d": 1}),
        shares({"a": 1, "b": 2, "c": 3, "d": 2}),
    )
    moved = sum(one != other for one, other in zip(drawn(before), drawn(after), strict=True))
    # Moulton and Jiang: what stays is the sum over i of 1 / sum over j of max(p_j/p_i, q_j/q_i).
    stays = sum(
        1 / sum(max(before[j] / before[i], after[j] / after[i]) for j in before) for i in before
    )
    sigma = sqrt(stays * (1 - stays) / len(IDS))
    assert abs(moved / len(IDS) - (1 - stays)) < 4 * sigma
    # No draw by hash alone is within less than this of the least for all changes of weights.
    least = distance(before, after)
    assert least < moved / len(IDS) < 2 * least / (1 + least)


SPLIT = """campaign: c
enter: {event: Go}
steps:
  - split:
      name: copy
      variants:
        a: {weight: %s, steps: [{exit: was a}]}
        b: {weight: %s, steps: [{exit: was b}]}
"""


def compiled(text: str) -> Campaign:
    templates = {"templates/t.in_app.liquid": "---\ntitle: Hello\n---\nHello"}
    (campaign,) = load_shop({"campaigns/c.yaml": text, **templates}).plan.campaigns.values()
    return campaign


def variants_of(world: World, at: int, count: int = 60) -> list[str]:
    found = []
    for number in range(count):
        world.event("Go", at, user=f"user-{number}")
        (branched,) = [record for record in world.records if record.kind == "branched"]
        found.append(branched.variant)
    return found


def test_who_was_drawn_keeps_his_variant_whatever_the_weights_are_later() -> None:
    world = World(compiled(SPLIT % (1, 1)))
    before = variants_of(world, 0)
    assert set(before) == {"a", "b"}
    world.adopt(compiled(SPLIT % (1, 1_000_000)), at=1)
    assert variants_of(world, 2) == before
    new = World(compiled(SPLIT % (1, 1_000_000)))
    assert set(variants_of(new, 0)) == {"b"}


def test_what_was_drawn_is_saved_with_the_user() -> None:
    world = World(compiled(SPLIT % (1, 1)))
    world.event("Go", 0)
    user = world.user()
    assert (
        decode_user(encode_user(user)).drawn == user.drawn == {"c\ncopy": world.records[1].variant}
    )


def test_who_had_a_variant_that_is_gone_is_drawn_another() -> None:
    world = World(compiled(SPLIT % (1, 1)))
    before = variants_of(world, 0)
    world.adopt(compiled((SPLIT % (1, 1)).replace("b: {", "c: {")), at=1)
    after = variants_of(world, 2)
    assert {new for old, new in zip(before, after, strict=True) if old == "a"} == {"a"}
    assert {new for old, new in zip(before, after, strict=True) if old == "b"} == {"a", "c"}


AGAIN = """campaign: c
enter: {event: Go}
goal: {event: Bought}
steps:
  - id: again
    repeat:
      times: 3
      every: 1h
      steps:
        - split: {name: copy, mode: bandit, variants: {a: {}, %s: {}}}
  - {wait: 1h, id: pause}
"""


def shown(world: World) -> list[str]:
    return [one.variant for one in world.records if one.kind == "branched"]


def test_an_enrollment_goes_the_way_that_it_went_whatever_a_merge_gives_its_user() -> None:
    world = World(compiled(AGAIN % "b"))
    world.event("Go", 0, user="anon")
    before = shown(world)
    (other,) = {"a", "b"} - set(before)
    world.event("Seen", 1)
    world.user().drawn = {"c\ncopy": other}
    world.merge("anon", 2)
    world.advance(HOUR)
    assert shown(world) == before
    assert world.user().drawn == {"c\ncopy": other}


def test_a_bandit_counts_each_variant_once_that_an_enrollment_is_shown() -> None:
    world = World(compiled(AGAIN % "b"))
    user = next(one for one in IDS if draw(one, EXPERIMENT, {"a": 1, "b": 1}) == "b")
    world.event("Go", 0, user=user)
    world.advance(HOUR)
    world.adopt(compiled(AGAIN % "c"), at=HOUR + 1)
    world.processor.advance(START + 2 * HOUR)
    batch = world.processor.begin(START + 2 * HOUR)
    assert batch is not None
    (variant,) = [one.variant for one in batch.records if one.kind == "branched"]
    tallies = msgspec.msgpack.decode(batch.bandits)
    assert tallies[EXPERIMENT]["arms"] == {"b": [1, 0], variant: [1, 0]}


def test_records_bear_the_variant_from_the_split_on() -> None:
    world = World(compiled(SPLIT % (1_000_000, 1)))
    assert world.event("Go", 0, user="user-1") == [
        "0 c entered",
        "0 c branched steps.0 variant a",
        "0 c exited steps.0.a.0 was a variant a",
    ]


HOLDOUT = """campaign: c
enter: {event: Go}
holdout: %s
steps: [{send: in_app, template: t, id: hello}]
"""


def held_out(world: World, at: int, name: str = "Go", count: int = 400) -> set[str]:
    """Whom nothing was sent to: each of them is told as held out, twice."""
    found = set()
    for number in range(count):
        user = f"user-{number}"
        world.event(name, at, user=user)
        reasons = [(one.kind, one.reason) for one in world.records]
        if ("entered", "holdout") in reasons:
            assert ("skipped", "holdout") in reasons
            assert world.messages == []
            found.add(user)
        else:
            assert len(world.messages) == 1
    return found


def test_the_held_out_are_the_share_that_was_asked_for_and_stay_whatever_it_is_later() -> None:
    world = World(compiled(HOLDOUT % "10%"))
    held = held_out(world, 0)
    assert abs(len(held) - 40) < 4 * sqrt(400 * 0.09)
    world.adopt(compiled(HOLDOUT % "60%"), at=1)
    assert held_out(world, 2) == held


def test_a_holdout_of_all_holds_everybody_out_and_one_of_nobody_nobody() -> None:
    assert len(held_out(World(compiled(HOLDOUT % "100%")), 0, count=9)) == 9
    assert held_out(World(compiled(HOLDOUT % "0%")), 0, count=9) == set()


def test_a_larger_holdout_holds_out_whom_the_smaller_one_would() -> None:
    small = held_out(World(compiled(HOLDOUT % "10%")), 0)
    large = held_out(World(compiled(HOLDOUT % "30%")), 0)
    assert small < large


def test_the_shop_holds_the_same_users_out_of_every_campaign() -> None:
    other = (HOLDOUT % "0%").replace("campaign: c", "campaign: d").replace("Go", "Come")
    world = World(compiled(HOLDOUT % "20%"), compiled(other), policy=Policy(holdout=0.2))
    by_shop = held_out(world, HOUR, "Come")
    assert abs(len(by_shop) - 80) < 4 * sqrt(400 * 0.16)
    by_both = held_out(world, HOUR)
    assert by_shop < by_both
    assert abs(len(by_both) - 144) < 4 * sqrt(400 * 0.36 * 0.64)


def test_nobody_is_held_out_of_a_transactional_campaign() -> None:
    text = f"{HOLDOUT % '100%'}purpose: transactional\n"
    assert held_out(World(compiled(text), policy=Policy(holdout=1.0)), 0, count=9) == set()


def test_draws_of_experiments_that_are_gone_are_forgotten_once_they_outnumber_the_others() -> None:
    world = World(compiled(SPLIT % (1, 1)))
    for number in range(50):
        text = (SPLIT % (1, 1)).replace("name: copy", f"name: copy-{number}")
        world.adopt(compiled(text), at=number + 1, plan_id=f"p{number}")
        world.event("Go", number + 1)
        drawn_for = world.user().drawn
        assert f"c\ncopy-{number}" in drawn_for
        assert len(drawn_for) <= 2 * len(world.processor.plan.experiments.ids)
    assert HELD_OUT not in world.user().drawn.values()
