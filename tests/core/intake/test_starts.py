"""Manual starts and groups in the core: what is asked, what ends, what is kept of the content."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import load_shop
from engine.core.effects import AnswerStart, Record
from engine.core.inputs import TriggerReceived, decode_inputs, encode_inputs
from engine.core.intake.items import ItemInvalid
from engine.core.intake.starts import CONTENT_BYTES_MAX, StartSaid, read_trigger
from engine.core.messages.waiting import each_message
from engine.core.state import User, decode_user, encode_user, new_user
from engine.core.transition import fire, step
from tests.core.world import HOUR, MINUTE, START

FILES = {
    "campaigns/low.yaml": """
campaign: low
group: g
priority: 10
enter: {event: Low, per: event.sku, while_active: restart}
steps: [{send: in_app, template: t, id: s}, {wait: 1h, id: w}, {send: in_app, template: t, id: l}]
""",
    "campaigns/high.yaml": """
campaign: high
group: g
priority: 90
enter: {event: High, reentry: 2h}
exit: {when: has(content.stop)}
steps:
  - wait: {when: user.ready == content.ready, at_most: 30m, then: [{exit: ready}]}
    id: until
""",
    "templates/t.in_app.liquid": "---\ntitle: a\n---\n{{ content.code }}",
}


class Life:
    """One user, and what is done to him."""

    def __init__(self, files: dict[str, str] | None = None, most: int = 100) -> None:
        settings = f"[guardrails]\nenrollments_max = {most}\n"
        self.plan = load_shop({"hairspring.toml": settings, **FILES, **(files or {})}).plan
        self.user = new_user("u")

    def start(self, campaign: str, at: int = 0, **content: object) -> list[str]:
        """What is told: records, and the answer as `=reason` or `=entered`."""
        raw = msgspec.Raw(msgspec.json.encode(content))
        happened = TriggerReceived("u", campaign, START + at, raw, at_ms=START + at)
        effects = []
        fire(self.plan, self.user, START + at, effects)
        step(self.plan, self.user, happened, effects)
        return [text for effect in effects if (text := told(effect))]


def told(effect: object) -> str:
    if isinstance(effect, AnswerStart):
        assert bool(effect.enrollment) is not bool(effect.reason)
        return f"={effect.reason or 'entered'}"
    if isinstance(effect, Record):
        return f"{effect.campaign} {effect.kind} {effect.reason}".strip()
    return ""


def test_a_higher_priority_takes_over_and_takes_back_what_was_not_sent() -> None:
    life = Life({"campaigns/low.yaml": FILES["campaigns/low.yaml"].replace(", per: event.sku", "")})
    assert life.start("low") == ["low entered", "low sent", "=entered"]
    assert life.start("high", MINUTE) == ["low exited group", "high entered", "=entered"]
    (pending,) = each_message(life.user.pending)
    assert pending.cancelled == "exited"
    assert life.start("low", 2 * MINUTE) == ["low refused group", "=group"]
    assert life.start("low", 40 * MINUTE)[-3:] == ["low entered", "low sent", "=entered"]


def test_what_is_refused_for_a_later_reason_takes_nothing_over() -> None:
    life = Life({"campaigns/low.yaml": FILES["campaigns/low.yaml"].replace(", per: event.sku", "")})
    life.start("high")
    life.start("low", HOUR)
    assert life.start("high", HOUR + MINUTE) == ["high refused reentry", "=reentry"]
    assert [one.campaign for one in life.user.enrollments] == ["low"]


def test_whoever_is_taken_over_makes_room() -> None:
    life = Life(
        {"campaigns/low.yaml": FILES["campaigns/low.yaml"].replace(", per: event.sku", "")}, most=1
    )
    life.start("low")
    assert life.start("high", MINUTE)[-1] == "=entered"
    assert len(life.user.enrollments) == 1


def test_content_is_what_later_conditions_ask_of() -> None:
    life = Life()
    life.start("high", ready=1)
    (enrollment,) = decode_user(encode_user(life.user)).enrollments
    assert enrollment.content == b'{"ready":1}'
    life.user.traits = {"ready": 2}
    assert life.start("nowhere", MINUTE) == ["nowhere refused status", "=status"]
    assert life.start("high", 31 * MINUTE)[0] == "high finished"


def test_a_start_that_leaves_at_once_has_entered() -> None:
    assert Life().start("high", stop=1) == ["high entered", "high exited when", "=entered"]


def test_contents_are_bounded_for_a_user_as_events_are() -> None:
    files = {
        f"campaigns/c{i}.yaml": f"campaign: c{i}\nenter: {{manual: true}}\nsteps: [{{wait: 1h}}]\n"
        for i in range(20)
    }
    life = Life(files)
    text = "x" * (CONTENT_BYTES_MAX - 20)
    answers = [life.start(f"c{i}", text=text)[-1] for i in range(20)]
    assert answers == ["=entered"] * 16 + ["=limit"] * 4
    assert life.start("c19")[-1] == "=entered"


def test_an_input_is_read_as_it_was_written() -> None:
    happened = StartSaid("c", msgspec.Raw(b'{"a":1}'), "m").of("u", 5)
    (again,) = decode_inputs(encode_inputs([happened]))
    assert again == happened
    assert isinstance(again, TriggerReceived)
    assert again.occurred_at_ms == 5


def test_no_two_users_of_two_runs_have_one_message_id() -> None:
    one = StartSaid("c", message_id="a:b").of_many("c", 0).message_id
    other = StartSaid("c", message_id="a").of_many("b:c", 0).message_id
    assert one != other


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b'{"user_id":"a","campaign":"c","timestamp":"then"}', "$.timestamp"),
        (b'{"user_id":"a","campaign":"c","received_at":"then"}', "$.received_at"),
        (b'{"user_id":true,"campaign":"c","timestamp":1}', "$.user_id"),
        (b'{"user_id":"a","campaign":7,"timestamp":1}', "$.campaign"),
    ],
)
def test_a_line_at_fault_is_told_with_its_place(line: bytes, path: str) -> None:
    with pytest.raises(ItemInvalid) as caught:
        read_trigger(line)
    assert caught.value.path == path


ways = st.lists(
    st.tuples(
        st.sampled_from(["low", "high", "mid", "nowhere"]),
        st.integers(0, 40 * MINUTE),
    ),
    max_size=12,
)
MID = """
campaign: mid
group: g
priority: 50
enter: {manual: true, while_active: restart}
steps: [{wait: 20m, id: w}]
"""


@settings(max_examples=60)
@given(ways)
def test_whatever_is_started_a_user_is_in_one_campaign_of_a_group(
    starts: list[tuple[str, int]],
) -> None:
    low = FILES["campaigns/low.yaml"].replace(", per: event.sku", "")
    life, at = Life({"campaigns/mid.yaml": MID, "campaigns/low.yaml": low}), 0
    for campaign, passes in starts:
        at += passes
        effects = []
        fire(life.plan, life.user, START + at, effects)
        before = inside(life.user)
        answer = life.start(campaign, at)[-1]
        after = inside(life.user)
        assert len(after) <= 1
        if answer == "=entered":
            assert after == [campaign]
            rank = {"low": 10, "mid": 50, "high": 90}
            assert all(one == campaign or rank[one] < rank[campaign] for one in before)
        else:
            assert after == before


def inside(user: User) -> list[str]:
    return [one.campaign for one in user.enrollments]
