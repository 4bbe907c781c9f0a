from __future__ import annotations

import itertools
import random  # noqa: TID251 - seeded

from engine.insight.funnel import Funnel, funnel
from engine.insight.trails import Trails


def counted(trails: dict[str, str], events: str, within_ms: int = 10, from_ms: int = 0) -> Funnel:
    """A funnel of trails as `{"ada": "A..B"}`: a letter an event, a place a millisecond."""
    made = Trails(list(events))
    for user_id, said in trails.items():
        for at_ms, name in enumerate(said):
            made.add(user_id, name, at_ms)
    return funnel(made, list(events), within_ms, from_ms)


def users(told: Funnel) -> list[int]:
    return [stage.users for stage in told.stages]


def test_each_event_counts_behind_the_one_before() -> None:
    told = counted({"ada": "ABC", "bob": "BA", "cy": "A.C", "di": "B"}, "ABC")
    assert users(told) == [3, 1, 1]
    assert told.users == 4
    assert [stage.of_before for stage in told.stages] == [1.0, 1 / 3, 1.0]
    assert told.stages[2].of_first == 1 / 3


def test_who_takes_longer_than_is_given_comes_no_further() -> None:
    assert users(counted({"a": "A....B", "b": "A.....B"}, "AB", 5)) == [2, 1]


def test_a_later_beginning_may_lead_further() -> None:
    told = counted({"a": "A.......AB"}, "AB", 2)
    assert users(told) == [1, 1]
    assert told.stages[1].median_ms == 1


def test_one_event_is_one_stage_where_a_funnel_names_it_twice() -> None:
    assert users(counted({"a": "A", "b": "A.A"}, "AA")) == [2, 1]


def test_times_are_medians_from_stage_to_stage_and_of_the_whole() -> None:
    told = counted({"a": "ABC", "b": "A..B.C", "c": "A...B..C"}, "ABC")
    assert [stage.median_ms for stage in told.stages] == [None, 3, 2]
    assert told.median_ms == 5


def test_who_begins_before_the_part_that_is_asked_for_does_not_count() -> None:
    assert users(counted({"a": "A.B", "b": "..AB"}, "AB", from_ms=1)) == [1, 1]


def test_nobody_is_an_answer() -> None:
    told = counted({}, "AB")
    assert users(told) == [0, 0]
    assert told.median_ms is None


def test_it_counts_as_somebody_would_who_tries_every_way() -> None:
    random_ = random.Random(4)
    for _ in range(200):
        said = "".join(random_.choice("ABC.") for _ in range(random_.randrange(12)))
        within = random_.randrange(1, 6)
        furthest = 0
        for length in (1, 2, 3):
            for places in itertools.combinations(range(len(said)), length):
                named = "".join(said[place] for place in places)
                steps = [b - a for a, b in itertools.pairwise(places)]
                if named == "ABC"[:length] and all(step <= within for step in steps):
                    furthest = length
        told = users(counted({"a": said}, "ABC", within))
        assert told == [1] * furthest + [0] * (3 - furthest), (said, within)
