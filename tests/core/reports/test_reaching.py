from __future__ import annotations

import pytest

from config import load_shop
from engine.core.reports.reaching import reached
from engine.core.reports.tallies import Key

FILES = {
    "hairspring.toml": "",
    "templates/t.in_app.liquid": "Hello",
}


def counted(steps: str, counts: dict[Key, float], waiting: dict[str, int]) -> dict[str, int]:
    campaign = f"campaign: c\nenter: {{event: Go}}\nsteps:\n{steps}"
    plan = load_shop({**FILES, "campaigns/c.yaml": campaign}).plan
    branched = {(k.step, k.reason): int(n) for k, n in counts.items() if k.kind == "branched"}
    return reached(plan.campaigns["c"], counts, branched, waiting)


def test_steps_that_leave_no_record_are_told_by_what_follows_a_wait() -> None:
    steps = """
  - {wait: 1h, id: first}
  - {wait: 2h, id: second}
  - {set: {a: 1}, id: noted}
  - {set: {b: 1}, id: noted-too}
  - {send: in_app, template: t, id: mail}
  - {set: {c: 1}, id: last}
"""
    counts = {Key("entered"): 9.0, Key("sent", "mail"): 5.0, Key("skipped", "mail"): 1.0}
    told = counted(steps, counts, {"first": 2, "second": 1})
    assert told == {
        "first": 9, "second": 7, "noted": 6, "noted-too": 6, "mail": 6, "last": 6,
    }  # fmt: skip


def test_steps_from_the_start_are_told_by_who_entered() -> None:
    steps = "  - {set: {a: 1}, id: one}\n  - {set: {b: 1}, id: two}\n  - {wait: 1h, id: rest}\n"
    assert counted(steps, {Key("entered"): 4.0}, {"rest": 3}) == {"one": 4, "two": 4, "rest": 4}


def test_each_way_of_a_branch_is_told_by_its_record() -> None:
    steps = """
  - {wait: 1h, id: first}
  - if: 'event.total > 50'
    id: rich
    then: [{set: {a: 1}, id: more}, {wait: 1h, id: rest}]
    else: [{set: {b: 1}, id: less}]
  - {set: {c: 1}, id: last}
"""
    counts = {
        Key("entered"): 9.0,
        Key("branched", "rich", reason="then"): 2.0,
        Key("branched", "rich", reason="else"): 4.0,
    }
    told = counted(steps, counts, {"first": 3})
    assert told["rich"] == 6
    assert (told["more"], told["rest"], told["less"]) == (2, 2, 4)


@pytest.mark.parametrize("step", ["{wait: 1h, id: %s}", "{set: {a: 1}, id: %s}"])
def test_a_campaign_of_very_many_steps_is_told(step: str) -> None:
    steps = "".join(f"  - {step % f's{number}'}\n" for number in range(1_500))
    told = counted(steps, {Key("entered"): 2.0}, {"s1499": 1})
    assert told["s0"] == 2
    assert told["s1499"] in {1, 2}
