from __future__ import annotations

import random  # noqa: TID251 - seeded

import msgspec
import pytest

from config import load_shop
from engine.insight.discover import Discovered, discover
from engine.insight.rates import adjusted, chance, difference, ratio, wilson
from engine.insight.suggestion import suggestion
from engine.insight.trails import Trails
from tests.insight.shop import DAY, DAYS, GOAL, NAMES, START, shoppers

RUNS = 60


def found_in(trails: Trails, **more: object) -> Discovered:
    return discover(
        trails,
        GOAL,
        within_ms=DAY,
        from_ms=START,
        until_ms=START + DAYS * DAY,
        **more,  # type: ignore[arg-type]
    )


def test_a_planted_effect_is_found_with_its_event_and_its_size() -> None:
    found = found_in(shoppers(1, 3_000, planted=0.5))
    best = found.findings[0]
    assert (best.event, best.window) == ("Product Viewed", "1w")
    assert best.count in {2, 3}
    low, high = best.lift_interval
    assert 1.5 < low < best.lift < high
    assert best.chance_adjusted <= 0.05
    assert found.users == 3_000
    assert sum(one.did.users + one.did_not.users for one in best.cohorts) <= found.users


def test_where_nothing_goes_before_the_goal_nothing_is_told() -> None:
    loud = sum(bool(found_in(shoppers(seed, 150)).findings) for seed in range(RUNS))
    assert loud <= RUNS * 0.05


def test_those_who_do_much_of_everything_for_no_reason_are_no_finding_by_being_watched_longer() -> (
    None
):
    """Who orders late has had more time to do all else: a landmark asks everybody at one time."""
    trails, random_ = Trails(), random.Random(7)
    for number in range(2_000):
        user_id, end = f"u{number}", random_.randrange(5, DAYS) * DAY
        for name in NAMES:
            for _ in range(random_.randrange(1, 8)):
                trails.add(user_id, name, START + random_.randrange(end))
        trails.add(user_id, GOAL, START + random_.randrange(DAYS * DAY))
    assert found_in(trails).findings == []


def test_equal_trails_give_equal_answers_whatever_order_they_came_in() -> None:
    one, other = shoppers(3, 400, planted=0.5), Trails()
    names = one.names
    for user_id, trail in reversed(list(one)):
        for name, at_ms in zip(trail.names, trail.instants, strict=True):
            other.add(user_id, names[name], at_ms)
    assert msgspec.json.encode(found_in(one)) == msgspec.json.encode(found_in(other))


def test_cohorts_are_weeks_those_from_before_or_a_trait() -> None:
    trails = shoppers(1, 1_000, planted=0.5)
    everybody = [user_id for user_id, _ in trails]
    for place, user_id in enumerate(everybody):
        trails.say(user_id, ("red", "blue")[place % 2])
    by_trait = found_in(trails, by_trait=True).findings[0].cohorts
    assert [one.cohort for one in by_trait] == ["blue", "red"]
    earlier = found_in(trails, earlier=set(everybody)).findings[0].cohorts
    assert [one.cohort for one in earlier] == ["earlier"]
    weeks = [one.cohort for one in found_in(trails).findings[0].cohorts]
    assert weeks[0].startswith("2024-W")


def test_paths_are_told_of_those_who_came_and_of_those_who_did_not() -> None:
    trails = Trails()
    for number in range(100):
        way = ("A", "B", "B", "C") if number < 60 else ("A", "C", "A", "C")
        for place, name in enumerate(way):
            trails.add(f"u{number}", name, START + place)
        if number < 60:
            trails.add(f"u{number}", GOAL, START + 10)
    found = found_in(trails)
    assert (found.paths[0].events, found.paths[0].reached, found.paths[0].others) == (
        ["A", "B", "C"],
        60,
        0,
    )
    assert sum(path.others for path in found.paths_else) == 40


def test_a_suggestion_is_a_campaign_that_checks() -> None:
    found = found_in(shoppers(1, 1_000, planted=0.5))
    yaml = suggestion(found.findings[0], GOAL, found.within)
    shop = load_shop({"campaigns/after-product-viewed.yaml": yaml})
    campaign = shop.plan.campaigns["after-product-viewed"]
    assert campaign.status == "paused"
    assert 'count("Product Viewed", "1w")' in yaml.replace('\\"', '"')


def test_of_too_many_users_a_hash_draws_the_same_share_each_time() -> None:
    drawn = []
    for _ in range(2):
        trails = shoppers(5, 500)
        trails.keep(100)
        drawn.append([user_id for user_id, _ in trails])
        assert trails.share in {1 / 8, 1 / 16}
    assert drawn[0] == drawn[1]
    assert 0 < len(drawn[0]) <= 100
    few = Trails(events_max=50)
    for number in range(200):
        few.add(f"u{number}", "A", number)
    assert len(few) <= 50
    assert few.share < 1


def test_two_ids_of_one_person_are_one_trail() -> None:
    trails = Trails()
    trails.add("device", "A", 1)
    trails.add("ada", "B", 2)
    trails.join("ada", "device")
    trails.add("device", "C", 3)
    ((user_id, trail),) = list(trails)
    assert (user_id, list(trail.instants)) == ("ada", [1, 2, 3])


def test_whoever_is_merged_again_and_again_is_one_trail_under_the_last_id() -> None:
    trails = Trails()
    for number in range(2_000):
        trails.add(f"id-{number}", "A", number)
        trails.join(f"id-{number + 1}", f"id-{number}")
    trails.join("id-0", "id-1999")  # he is the same one already
    trails.add("id-0", "B", 2_000)
    trails.say("id-7", "gold")
    ((user_id, trail),) = list(trails)
    assert user_id == "id-2000"
    assert list(trail.instants) == [*range(2_001)]
    assert trails.traits == {"id-2000": "gold"}


@pytest.mark.parametrize(
    ("hits", "tries", "interval"),  # Newcombe 1998, table I (method 3)
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611))],
)
def test_wilsons_interval_is_the_published_one(
    hits: int, tries: int, interval: tuple[float, float]
) -> None:
    assert wilson(hits, tries) == pytest.approx(interval, abs=5e-5)


def test_newcombes_interval_is_the_published_one() -> None:
    assert difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_fishers_test_is_that_of_the_tea() -> None:
    assert chance(3, 4, 1, 4) == pytest.approx(0.4857, abs=5e-5)
    assert chance(4, 4, 0, 4) == pytest.approx(2 / 70)


def test_chances_are_corrected_as_benjamini_and_hochberg_do() -> None:
    assert adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert adjusted([]) == []


def test_the_interval_of_a_lift_holds_what_is_so_in_95_of_100_cases() -> None:
    random_ = random.Random(11)
    held = 0
    for _ in range(1_000):
        hits = sum(random_.random() < 0.2 for _ in range(300))
        hits_else = sum(random_.random() < 0.1 for _ in range(300))
        _, low, high = ratio(hits, 300, hits_else, 300)
        held += low <= 2.0 <= high
    assert 0.93 <= held / 1_000 <= 0.98
