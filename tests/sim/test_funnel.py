"""Where users got to: what each step of a campaign is told to have seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from config import load_shop
from engine.core.effects import CountTime, Record
from engine.core.instants import parse_instant_ms
from engine.sim.funnel import Funnel
from engine.sim.run import Options, Report, run_shop
from engine.sim.sources import open_events

if TYPE_CHECKING:
    from pathlib import Path

    from engine.sim.funnel import StepCounts

HELLO = {"templates/hello.in_app.liquid": "Hello", "templates/hello.push.liquid": "Hello"}


def run(tmp_path: Path, steps: str, events: list[str], until: str = "", **fails: float) -> Report:
    file = tmp_path / "events.ndjson"
    lines = []
    for event in events:
        at, user_id, name, *properties = event.split(" ", 3)
        item = {"timestamp": f"2026-01-01T{at}Z", "user_id": user_id, "event": name}
        lines.append(json.dumps({**item, "properties": json.loads((properties or ["{}"])[0])}))
    file.write_text("\n".join(lines))
    campaign = f"campaign: a\nenter: {{event: In}}\nexit: {{event: Out}}\nsteps:\n{steps}"
    options = Options(
        until_ms=parse_instant_ms(f"2026-01-01T{until}Z") if until else None, failing=fails
    )
    with open_events(str(file)) as source:
        return run_shop(load_shop({"campaigns/a.yaml": campaign, **HELLO}), source, options=options)


def steps_of(report: Report) -> dict[str, StepCounts]:
    (summary,) = report.campaigns
    return {counts.step: counts for counts in summary.steps}


BRANCHED = """
  - {wait: 10m, id: first-wait}
  - {send: in_app, template: hello, id: hello}
  - if: event.dear == true
    id: dear
    then: [{wait: 10m, id: dear-wait}, {send: in_app, template: hello, id: offer}]
    else: [{exit: cheap, id: cheap}]
  - {wait: 1h, id: last-wait}
  - {send: in_app, template: hello, id: bye}
"""


def test_each_step_tells_who_reached_it_left_in_it_and_waits_in_it(tmp_path: Path) -> None:
    events = [
        '10:00 u1 In {"dear": true}',
        '10:00 u2 In {"dear": false}',
        '10:00 u3 In {"dear": true}',
        "10:00 u4 In",
        "10:05 u4 Out",
        "10:15 u3 Out",
        '11:10 u5 In {"dear": true}',
    ]
    told = steps_of(run(tmp_path, BRANCHED, events, until="11:15"))
    assert {step: counts.reached for step, counts in told.items()} == {
        "first-wait": 5,
        "hello": 3,
        "dear": 3,
        "dear-wait": 2,
        "offer": 1,
        "cheap": 1,
        "last-wait": 1,
        "bye": 0,
    }
    assert told["hello"].sent == {"in_app": 3}
    assert told["dear"].branched == {"then": 2, "else": 1}
    assert told["first-wait"].exited == {"event": 1}
    assert told["dear-wait"].exited == {"event": 1}
    assert told["cheap"].exited == {"cheap": 1}
    assert told["first-wait"].waiting == 1
    assert told["last-wait"].waiting == 1


def test_nobody_is_lost_between_two_steps(tmp_path: Path) -> None:
    events = [
        f'10:{minute:02} u{minute} In {{"dear": {"true" if minute % 3 else "false"}}}'
        for minute in range(40)
    ]
    events += [f"10:{minute + 19:02} u{minute} Out" for minute in range(0, 40, 4)]
    report = run(tmp_path, BRANCHED, sorted(events), until="11:12")
    told = steps_of(report)
    for step, following in (("first-wait", "hello"), ("dear-wait", "offer"), ("last-wait", "bye")):
        counts = told[step]
        left = sum(counts.exited.values()) + counts.waiting
        assert counts.reached - left == told[following].reached, step
    assert sum(told["dear"].branched.values()) == told["dear"].reached == told["hello"].reached


def test_a_message_that_stands_in_for_another_is_sent_and_not_reached_again(
    tmp_path: Path,
) -> None:
    steps = """
  - {send: in_app, else: [push], template: hello, id: hello}
  - {wait: 1h, id: pause}
"""
    told = steps_of(run(tmp_path, steps, ["10:00 u1 In", "10:01 u2 In"], in_app=1.0))
    assert told["hello"].reached == 2
    assert told["pause"].reached == 2
    assert told["hello"].sent == {"in_app": 2}


def test_steps_that_are_repeated_are_reached_each_time(tmp_path: Path) -> None:
    steps = """
  - repeat: {times: 3, every: 1h, steps: [{send: in_app, template: hello, id: hello}]}
    id: thrice
  - {send: in_app, template: hello, id: bye}
"""
    told = steps_of(run(tmp_path, steps, ["10:00 u1 In", "10:30 u2 In", "11:15 u2 Out"]))
    assert told["hello"].sent == {"in_app": 4}
    assert told["hello"].reached == 4
    assert told["thrice"].exited == {"event": 1}
    assert told["bye"].reached == 1


def test_who_leaves_between_two_times_in_which_nothing_is_recorded_leaves_in_the_repeat(
    tmp_path: Path,
) -> None:
    steps = """
  - repeat: {times: 3, every: 1h, steps: [{set: {seen: true}, id: mark}]}
    id: thrice
  - {send: in_app, template: hello, id: bye}
"""
    told = steps_of(run(tmp_path, steps, ["10:00 u1 In", "10:00 u2 In", "11:30 u2 Out"]))
    assert told["thrice"].exited == {"event": 1}
    assert told["bye"].reached == 1


def test_a_way_of_several_and_a_variant_are_told_by_name(tmp_path: Path) -> None:
    steps = """
  - choose:
      - {when: event.size == 1, steps: [{send: in_app, template: hello, id: one}]}
      - {else: [{exit: other, id: other}]}
    id: size
  - split: {name: copy, variants: {x: {weight: 1}, y: {weight: 1}}}
    id: copy
"""
    events = [f'10:00 u{number} In {{"size": {number % 2}}}' for number in range(20)]
    told = steps_of(run(tmp_path, steps, events))
    assert told["size"].branched == {"0": 10, "else": 10}
    assert told["one"].reached == told["copy"].reached == 10
    assert sum(told["copy"].branched.values()) == 10
    assert set(told["copy"].branched) == {"x", "y"}


@pytest.mark.parametrize("until", ["10:05", "10:15", "12:00"])
def test_where_everybody_is_at_the_end_is_told(tmp_path: Path, until: str) -> None:
    report = run(tmp_path, BRANCHED, ['10:00 u1 In {"dear": true}'], until=until)
    (summary,) = report.campaigns
    under_way = summary.entered - summary.finished - sum(summary.exited.values())
    assert sum(counts.waiting for counts in summary.steps) == under_way


def test_times_of_a_repeat_in_which_nothing_is_recorded_are_counted_all_the_same(
    tmp_path: Path,
) -> None:
    steps = """
  - repeat:
      times: 3
      until: user.bought == true
      steps: [{wait: 10m, id: inner}, {set: {asked: true}, id: note}]
    id: thrice
  - {send: in_app, template: hello, id: hello}
  - repeat: {times: 2, every: 1h, steps: [{wait: 10m, id: last}]}
    id: twice
"""
    events = ["10:00 u1 In", "10:00 u2 In", "10:15 u2 Out", "10:00 u3 In"]
    told = steps_of(run(tmp_path, steps, events, until="11:20"))
    assert {step: counts.reached for step, counts in told.items()} == {
        # Two go by it three times, and come by it once more; the third leaves in the second time.
        "thrice": 4 + 4 + 2,
        "inner": 3 + 3 + 2,
        "note": 3 + 3 + 1,
        "hello": 2,
        "twice": 2 + 2,  # at 10:30, and at 10:40 to wait for the next time
        "last": 1 + 1,
    }
    assert told["inner"].exited == {"event": 1}
    assert told["twice"].waiting == 2


def test_a_repeat_of_an_earlier_plan_may_bear_the_id_of_what_is_none_by_now() -> None:
    text = "campaign: a\nenter: {event: In}\nsteps: [{wait: 1h, id: only}]"
    funnel = Funnel(load_shop({"campaigns/a.yaml": text}).plan)
    entered = Record(0, "u", "a", "entered", "e")
    left = Record(1, "u", "a", "exited", "e", reason="event")
    funnel.add([entered, left], [(1, CountTime("a", "e", "only"))])
    assert funnel.steps("a")[0].exited == {"event": 1}
