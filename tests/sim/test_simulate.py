from __future__ import annotations

import gzip
import json
import random  # noqa: TID251 - seeded
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import load_shop
from engine.core.inputs import DeliveryReported, EventReceived, UserIdentified, UsersMerged
from engine.core.state import encode_user
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from engine.sim.deliveries import Deliveries
from engine.sim.ordering import in_order
from engine.sim.run import Options, Report, run_shop
from engine.sim.simulate import AFTER_LAST_MAX_MS, BATCH_MAX, GONE_MAX, Simulation
from engine.sim.sources import EventsUnreadable, open_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.core.effects import Record
    from engine.core.inputs import UserInput

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
START_MS = 1_767_225_600_000

SHOP = load_shop(
    {
        "hairspring.toml": "",
        "campaigns/cart.yaml": """
campaign: cart
enter: {event: Added, reentry: 6m}
exit: {event: Bought}
steps:
  - {wait: 3m, id: w}
  - {send: push, else: [in_app], template: nudge, id: first}
  - {wait: 2m, id: w2}
  - {send: push, template: nudge, id: second}
""",
        "campaigns/hello.yaml": """
campaign: hello
priority: 60
enter: {event: [Added, Seen], while_active: restart}
exit: {event: Bought}
steps:
  - {send: in_app, template: nudge, id: now}
  - {wait: 1m, id: w}
  - {if: user.tier == "gold", then: [{send: push, template: nudge, id: gold}], id: i}
""",
        "templates/nudge.push.liquid": "Still there, {{ user.tier }}?",
        "templates/nudge.in_app.liquid": "Still there?",
    }
)

TRAITS = [b'{"push":{"endpoint":"https://p.example/1"}}', b'{"tier":"gold"}', b'{"tier":"tin"}']

event_inputs = st.builds(
    lambda user, name, minute, late, message: EventReceived(
        user,
        name,
        START_MS + (minute - min(late, minute)) * MINUTE_MS,
        START_MS + minute * MINUTE_MS,
        message_id=message,
    ),
    st.sampled_from(["u1", "u2", "u3"]),
    st.sampled_from(["Added", "Seen", "Bought", "Other"]),
    st.integers(0, 20),
    st.sampled_from([0, 0, 0, 2, 9]),
    st.sampled_from(["", "", "", "m1", "m2"]),
)
trait_inputs = st.builds(
    lambda user, minute, traits: UserIdentified(
        user,
        START_MS + minute * MINUTE_MS,
        START_MS + minute * MINUTE_MS,
        msgspec.Raw(traits),
    ),
    st.sampled_from(["u1", "u2", "u3"]),
    st.integers(0, 20),
    st.sampled_from(TRAITS),
)


def copies(inputs: list[Any]) -> list[Any]:
    return [msgspec.structs.replace(happened) for happened in inputs]


def told(records: list[Record]) -> list[Record]:
    """In order of instant and user: which of two users comes first at one instant is not said."""
    return sorted(records, key=lambda record: (record.at_ms, record.user_id))


class MinuteByMinute:
    """The naive twin: a processor that is driven every minute, with a commit for every input."""

    def __init__(self) -> None:
        self.processor = Processor(SHOP.plan, dedupe=Dedupe(DAY_MS, 1_000))
        self.records: list[Record] = []

    def run(self, inputs: list[Any]) -> None:
        for minute in range(40):
            now_ms = START_MS + minute * MINUTE_MS
            self.processor.advance(now_ms)
            self.commit(now_ms)
            for happened in inputs:
                if happened.received_at_ms == now_ms:
                    self.processor.take(happened, now_ms)
                    self.commit(now_ms)

    def commit(self, now_ms: int) -> None:
        while (batch := self.processor.begin(now_ms)) is not None:
            released = self.processor.finish(batch)
            self.records += released.records
            for _, message in released.messages:
                assert self.processor.verdict(message, now_ms) == ""
                outcome = "failed" if message.channel == "push" else "delivered"
                report = DeliveryReported(message.user_id, message.id, outcome, "simulated")  # type: ignore[arg-type]
                if outcome == "delivered":
                    report.reason = ""
                self.processor.take(report, now_ms)


@given(st.lists(st.one_of(event_inputs, trait_inputs), max_size=25))
def test_a_run_equals_a_processor_that_is_driven_minute_by_minute(inputs: list[Any]) -> None:
    twin = MinuteByMinute()
    twin.run(copies(inputs))
    simulation = Simulation(
        SHOP.plan, dedupe=Dedupe(DAY_MS, 1_000), deliveries=Deliveries(failing={"push": 1.0})
    )
    records = [
        record for released in simulation.run(in_order(inputs)) for record in released.records
    ]
    assert told(twin.records) == told(records)
    assert [record.at_ms for record in records] == sorted(record.at_ms for record in records)
    users = simulation.processor.users
    assert {user_id: state_of(user) for user_id, user in twin.processor.users.items()} == {
        user_id: state_of(user) for user_id, user in users.items()
    }
    assert simulation.taken + simulation.duplicates == len(inputs)
    assert not any(user.pending for user in users.values())


def state_of(user: Any) -> bytes:
    # Inputs are numbered across users, whose order at one instant is not said.
    return encode_user(msgspec.structs.replace(user, seen=0))


def run(
    tmp_path: Path, lines: list[dict[str, Any]], options: Options | None = None, **shop: str
) -> tuple[bytes, Report]:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode(), mtime=0))
    blocks: list[bytes] = []
    loaded = load_shop({"hairspring.toml": "", **shop}) if shop else SHOP
    with open_events(str(path)) as source:
        report = run_shop(loaded, source, options=options or Options(), write=blocks.append)
    return b"".join(blocks), report


def some_events(seed: int, count: int = 2_000) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [
        {
            "user_id": f"u{draw.randrange(40)}",
            "event": draw.choice(["Added", "Seen", "Bought", "Other"]),
            "timestamp": START_MS + number * 7_001,
            "received_at": START_MS + number * 7_001 + draw.randrange(7_000),
        }
        for number in range(count)
    ]


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    options = Options(failing={"in_app": 0.3}, seed=5)
    first, _ = run(tmp_path, some_events(1), options)
    second, _ = run(tmp_path, some_events(1), options)
    assert first == second
    assert first.count(b"\n") > 1_000


def test_the_order_of_lines_with_receivedat_makes_no_difference(tmp_path: Path) -> None:
    lines = some_events(2)
    ordered, _ = run(tmp_path, lines, Options(failing={"in_app": 0.3}))
    random.Random(3).shuffle(lines)
    shuffled, _ = run(tmp_path, lines, Options(failing={"in_app": 0.3}))
    assert ordered == shuffled


def test_records_come_in_order_of_at(tmp_path: Path) -> None:
    lines, _ = run(tmp_path, some_events(4))
    instants = [json.loads(line)["at"] for line in lines.splitlines()]
    assert instants == sorted(instants)


def test_a_share_of_deliveries_fails_and_another_seed_fails_others(tmp_path: Path) -> None:
    def failed(seed: int) -> set[str]:
        lines, _ = run(tmp_path, some_events(6), Options(failing={"in_app": 0.25}, seed=seed))
        records = map(json.loads, lines.splitlines())
        return {record["message"] for record in records if record["kind"] == "failed"}

    _, report = run(tmp_path, some_events(6), Options(failing={"in_app": 0.25}))
    sent = sum(campaign.sent.get("in_app", 0) for campaign in report.campaigns)
    assert 0.2 < len(failed(0)) / sent < 0.3
    assert failed(0) == failed(0)
    assert failed(0) != failed(1)


def test_a_failure_follows_from_the_message_and_not_from_what_else_there_is(
    tmp_path: Path,
) -> None:
    def fate(lines: list[dict[str, Any]]) -> dict[str, str]:
        out, _ = run(tmp_path, lines, Options(failing={"in_app": 0.5}))
        records = [json.loads(line) for line in out.splitlines()]
        return {r["message"]: r["kind"] for r in records if r["kind"] in {"failed", "delivered"}}

    lines = some_events(8, 400)
    alone = fate([line for line in lines if line["user_id"] == "u7"])
    among = fate(lines)
    assert alone
    assert {message: among[message] for message in alone} == alone


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_and_all_of_a_channel_can_fail(tmp_path: Path, share: float) -> None:
    _, report = run(tmp_path, some_events(9, 200), Options(failing={"in_app": share}))
    for campaign in report.campaigns:
        assert campaign.sent["in_app"] > 0
        assert campaign.failed.get("in_app", 0) == campaign.sent["in_app"] * share


LONG = {
    "campaigns/long.yaml": """
campaign: long
enter: {event: Added}
steps:
  - {wait: 90d, id: w}
  - {send: in_app, template: nudge, id: last}
  - {wait: 1ms, id: w2}
""",
    "templates/nudge.in_app.liquid": "Still there?",
}


def test_without_an_end_deadlines_are_followed_for_ninety_days(tmp_path: Path) -> None:
    added = {"user_id": "u1", "event": "Added", "timestamp": START_MS}
    _, report = run(tmp_path, [added], **LONG)
    assert AFTER_LAST_MAX_MS == 90 * DAY_MS
    assert (report.campaigns[0].sent, report.campaigns[0].finished) == ({"in_app": 1}, 0)


@pytest.mark.parametrize(
    ("until_ms", "entered", "sent", "finished"),
    [
        (START_MS - 1, 0, {}, 0),
        (START_MS, 1, {}, 0),
        (START_MS + 90 * DAY_MS - 1, 1, {}, 0),
        (START_MS + 90 * DAY_MS, 1, {"in_app": 1}, 0),
        (START_MS + 90 * DAY_MS + 1, 1, {"in_app": 1}, 1),
        (START_MS + 900 * DAY_MS, 1, {"in_app": 1}, 1),
    ],
)
def test_until_is_inclusive_of_events_and_deadlines(
    tmp_path: Path, until_ms: int, entered: int, sent: dict[str, int], finished: int
) -> None:
    added = {"user_id": "u1", "event": "Added", "timestamp": START_MS}
    _, report = run(tmp_path, [added], Options(until_ms=until_ms), **LONG)
    campaign = report.campaigns[0]
    assert (campaign.entered, campaign.sent, campaign.finished) == (entered, sent, finished)
    assert report.after_until == 1 - entered


def test_a_message_id_is_taken_again_after_the_window(tmp_path: Path) -> None:
    lines = [
        {"user_id": "u1", "event": "Other", "message_id": "m", "timestamp": START_MS + at_ms}
        for at_ms in (0, DAY_MS - 1, 3 * DAY_MS)
    ]
    other = {"user_id": "u2", "event": "Other", "message_id": "m", "timestamp": START_MS + 1}
    padding = [
        {"user_id": "u3", "event": "Other", "message_id": f"p{day}", "timestamp": START_MS + day}
        for day in (DAY_MS, 2 * DAY_MS)
    ]
    _, report = run(tmp_path, [*lines, other, *padding])
    assert (report.events, report.duplicates, report.users) == (4, 2, 2)


def test_what_nothing_waits_for_is_let_out_in_batches() -> None:
    shop = load_shop(
        {"campaigns/c.yaml": "campaign: c\nenter: {event: Added}\nsteps: [{wait: 1d, id: w}]\n"}
    )
    added = [
        EventReceived("u1", "Added", START_MS + place, START_MS + place)
        for place in range(3 * BATCH_MAX + 1)
    ]
    simulation = Simulation(shop.plan)
    released = list(simulation.run(added, START_MS + MINUTE_MS))
    assert [len(each.records) for each in released] == [BATCH_MAX] * 3 + [1]
    assert simulation.taken == len(added)


def test_so_are_deadlines_but_a_message_goes_at_its_own_instant() -> None:
    leaves = """
campaign: leaves
enter: {event: Added}
steps: [{wait: 1h, id: w}, {exit: done, id: x}]
"""
    sends = leaves.replace("leaves", "sends").replace("{exit: done", "{send: in_app, template: t")
    templates = {"templates/t.in_app.liquid": "Hello"}
    added = [
        EventReceived(f"u{place}", "Added", START_MS + place, START_MS + place)
        for place in range(BATCH_MAX + 1)
    ]
    waiting = Simulation(load_shop({"campaigns/c.yaml": leaves}).plan)
    released = list(waiting.run(copies(added), START_MS + DAY_MS))
    assert [len(each.records) for each in released] == [BATCH_MAX, BATCH_MAX, 2]
    sending = Simulation(load_shop({"campaigns/c.yaml": sends, **templates}).plan)
    released = list(sending.run(copies(added), START_MS + DAY_MS))
    assert [each.messages[0][1].at_ms for each in released if each.messages] == [
        one.received_at_ms + 60 * MINUTE_MS for one in added
    ]


def test_a_file_without_any_event_is_an_error_that_shows_its_lines(tmp_path: Path) -> None:
    with pytest.raises(EventsUnreadable, match="none of its 2 lines is an event") as raised:
        run(tmp_path, [{"user_id": "u1"}, {"event": "Added"}])
    assert r"events.ndjson.gz:2: $.user_id: missing" in raised.value.message
    with pytest.raises(EventsUnreadable, match="holds no event"):
        run(tmp_path, [])


def test_a_template_that_cannot_be_rendered_fails_as_it_would_live(tmp_path: Path) -> None:
    shop = {
        "campaigns/hello.yaml": """
campaign: hello
enter: {event: Added}
steps:
  - {send: push, else: [in_app], template: nudge, id: now}
""",
        "templates/nudge.push.liquid": "---\nstyle: '{{ event.style }}'\n---\nHello",
        "templates/nudge.in_app.liquid": "---\ntitle: '{{ event.style }}'\n---\nHello",
    }
    address = {"endpoint": "https://p.example/1"}
    lines = [
        {"type": "identify", "user_id": "u1", "timestamp": 0, "traits": {"push": address}},
        {"user_id": "u1", "event": "Added", "timestamp": 1, "properties": {"style": "loud"}},
        {"type": "identify", "user_id": "u2", "timestamp": 0, "traits": {"push": "nowhere"}},
        {"user_id": "u2", "event": "Added", "timestamp": 2, "properties": {"style": "banner"}},
    ]
    out, report = run(tmp_path, lines, Options(render=True), **shop)
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["reason"] for record in records if record["kind"] == "failed"] == [
        "template: nudge:2: style came out as 'loud', not one of modal, banner, toast, tooltip",
        "no push address that can be used",
    ]
    # The fallback takes over the snapshot that was taken at the step.
    assert [record.get("title") for record in records if record.get("channel") == "in_app"][
        ::2
    ] == [
        "loud",
        "banner",
    ]
    assert list(report.render_faults.values()) == [1]
    assert run(tmp_path, lines, **shop)[1].campaigns[0].sent == {"push": 2}


def test_progress_is_told_while_reading_and_while_applying(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(map(json.dumps, some_events(1, 5_000))))
    progress: list[int] = []
    with open_events(str(path)) as source:
        run_shop(SHOP, source, options=Options(), on_progress=progress.append)
    assert progress == [0, 0, 0, 0, 2_048, 4_096]


def test_visitors_who_turned_out_to_be_customers_are_let_go_of() -> None:
    simulation = Simulation(SHOP.plan)
    users = simulation.processor.users
    gone = []

    def visits() -> Iterator[UserInput]:
        for place in range(3 * GONE_MAX):
            at_ms, device = START_MS + place, f"device-{place}"
            yield EventReceived(device, "Looked", at_ms, at_ms)
            yield UsersMerged(f"u{place % 9}", at_ms, at_ms, merged_id=device, is_alias=True)
            gone.append(users.gone)

    list(simulation.run(visits()))
    assert len(users) == 9
    assert len(gone) == 3 * GONE_MAX
    assert max(gone) == GONE_MAX + 1
