from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from engine.core.inputs import EventReceived, TraitsDefaulted, UserIdentified, UsersMerged
from engine.core.intake.items import (
    DEPTH_MAX,
    PROPERTIES_MAX,
    TEXT_LENGTH_MAX,
    TRAITS_MAX,
    ItemInvalid,
    decode_item,
    read_item,
)
from engine.core.intake.restated import as_item

AT_MS = 1_767_225_600_000


def read(received_at_ms: int | None = None, **said: Any) -> Any:
    return read_item(decode_item(json.dumps(said).encode()), received_at_ms)


def test_the_native_form_is_a_track_call_by_default() -> None:
    happened = read(
        user_id="u1", event="Seen", timestamp=AT_MS, message_id="m1", properties={"a": 1}
    )
    assert isinstance(happened, EventReceived)
    assert (happened.user_id, happened.name, happened.message_id) == ("u1", "Seen", "m1")
    assert (happened.occurred_at_ms, happened.received_at_ms) == (AT_MS, AT_MS)
    assert json.loads(bytes(happened.properties)) == {"a": 1}


def test_segments_form_means_the_same() -> None:
    segment = read(type="track", userId="u1", event="Seen", timestamp=AT_MS, messageId="m1")
    native = read(user_id="u1", event="Seen", timestamp=AT_MS, message_id="m1")
    assert bytes(segment.properties) == bytes(native.properties) == b"{}"
    assert segment.user_id == native.user_id
    assert segment.message_id == native.message_id


def test_the_socket_says_when_it_was_received_where_there_is_one() -> None:
    happened = read(AT_MS, user_id="u1", event="Seen", receivedAt=AT_MS - 5)
    assert (happened.occurred_at_ms, happened.received_at_ms) == (AT_MS, AT_MS)


@pytest.mark.parametrize(
    ("said", "occurred_at_ms", "received_at_ms"),
    [
        ({"timestamp": 5_000}, 5_000, 5_000),
        ({"timestamp": 5_000, "sentAt": 9_000}, 5_000, 5_000),
        ({"timestamp": 5_000, "receivedAt": 7_000}, 5_000, 7_000),
        ({"timestamp": 5_000, "sentAt": 6_000, "receivedAt": 7_000}, 6_000, 7_000),
        ({"timestamp": 5_000, "sent_at": 6_000, "received_at": 7_000}, 6_000, 7_000),
        ({"timestamp": 6_000, "sentAt": 5_000, "receivedAt": 7_000}, 7_000, 7_000),
        ({"timestamp": 9_000, "receivedAt": 7_000}, 7_000, 7_000),
        ({"timestamp": 0, "sentAt": 9_000, "receivedAt": 7_000}, 0, 7_000),
        ({"receivedAt": 7_000}, 7_000, 7_000),
        ({"originalTimestamp": 5_000}, 5_000, 5_000),
        # A timestamp beside the client's own is corrected already: it must not be once more.
        (
            {
                "originalTimestamp": 5_000,
                "timestamp": 6_000,
                "sentAt": 6_000,
                "receivedAt": 7_000,
            },
            6_000,
            7_000,
        ),
        ({"originalTimestamp": 5_000, "timestamp": 6_000}, 6_000, 6_000),
        ({"timestamp": "1970-01-01 00:00:05"}, 5_000, 5_000),
        ({"timestamp": "1970-01-01T01:00:05.1239+01:00"}, 5_123, 5_123),
    ],
)
def test_event_time_is_corrected_by_the_clients_skew_and_never_after_it_was_received(
    said: dict[str, Any], occurred_at_ms: int, received_at_ms: int
) -> None:
    happened = read(user_id="u1", event="Seen", **said)
    assert (happened.occurred_at_ms, happened.received_at_ms) == (occurred_at_ms, received_at_ms)


def test_pages_and_screens_are_events_with_their_name_among_the_properties() -> None:
    page = read(
        type="page", userId="u1", name="Home", category="Shop", timestamp=1, properties={"url": "/"}
    )
    screen = read(type="screen", userId="u1", name="Start", timestamp=1)
    assert page.name == "Page Viewed"
    assert json.loads(bytes(page.properties)) == {"url": "/", "name": "Home", "category": "Shop"}
    assert screen.name == "Screen Viewed"
    assert json.loads(bytes(screen.properties)) == {"name": "Start"}


def test_traits_may_come_in_the_context_alone() -> None:
    own = read(type="identify", userId="u1", timestamp=1, traits={"a": 1}, context={"ip": "::"})
    context = read(
        type="identify", userId="u1", timestamp=1, traits=None, context={"traits": {"a": 2}}
    )
    neither = read(type="identify", userId="u1", timestamp=1, context={})
    assert isinstance(own, UserIdentified)
    assert [json.loads(bytes(said.traits)) for said in (own, context, neither)] == [
        {"a": 1},
        {"a": 2},
        {},
    ]


def test_who_has_no_user_id_goes_by_the_anonymous_one() -> None:
    assert read(userId=None, anonymousId="a1", event="Seen", timestamp=1).user_id == "a1"
    assert read(userId="", anonymousId="a1", event="Seen", timestamp=1).user_id == "a1"
    assert read(userId=12345, event="Seen", timestamp=1).user_id == "12345"


def test_whose_id_a_device_has_drawn_is_anonymous() -> None:
    assert read(anonymousId="a1", event="Seen", timestamp=1).is_anonymous
    assert read(anonymous_id="a1", type="identify", timestamp=1).is_anonymous
    score = {"type": "score", "model": "churn", "score": 0.5, "timestamp": 1}
    assert read(anonymousId="a1", **score).is_anonymous
    assert not read(userId="u1", **score).is_anonymous
    assert not read(anonymousId="a1", userId="u1", event="Seen", timestamp=1).is_anonymous


def test_an_identify_call_with_both_ids_joins_them() -> None:
    said = read(type="identify", userId="u1", anonymousId="a1", traits={"a": 1}, timestamp=1)
    assert isinstance(said, UsersMerged)
    assert (said.user_id, said.merged_id, said.is_alias) == ("u1", "a1", False)
    assert json.loads(bytes(said.traits)) == {"a": 1}
    native = read(type="identify", user_id=7, anonymous_id="a1", timestamp=1)
    assert isinstance(native, UsersMerged)
    assert (native.user_id, native.merged_id) == ("7", "a1")


@pytest.mark.parametrize("anonymous", [None, "", "u1"])
def test_an_identify_call_with_one_id_joins_nobody(anonymous: str | None) -> None:
    said = read(type="identify", userId="u1", anonymousId=anonymous, timestamp=1)
    assert type(said) is UserIdentified


@pytest.mark.parametrize(
    ("user", "previous"), [("userId", "previousId"), ("user_id", "previous_id")]
)
def test_an_alias_call_names_both_ids(user: str, previous: str) -> None:
    said = read(**{"type": "alias", user: "u1", previous: "old", "timestamp": 1})
    assert isinstance(said, UsersMerged)
    assert (said.user_id, said.merged_id, said.is_alias) == ("u1", "old", True)


def test_an_alias_call_that_lacks_an_id_is_none() -> None:
    with pytest.raises(ItemInvalid, match="missing") as fault:
        read(type="alias", userId="u1", timestamp=1)
    assert fault.value.path == "$.previous_id"
    with pytest.raises(ItemInvalid, match="missing") as fault:
        read(type="alias", anonymousId="a1", previousId="old", timestamp=1)
    assert fault.value.path == "$.user_id"


def test_what_a_group_call_says_is_one_trait() -> None:
    said = read(type="group", userId="u1", groupId="g1", traits={"plan": "pro"}, timestamp=1)
    assert type(said) is UserIdentified
    assert json.loads(bytes(said.traits)) == {"group": {"plan": "pro", "id": "g1"}}


@pytest.mark.parametrize("identified", [
    UserIdentified("u", 1, 1, msgspec.Raw(b'{"a":1}'), "m"),
    TraitsDefaulted("u", 1, 1, msgspec.Raw(b'{"a":1}'), "m"),
    UsersMerged("u", 1, 1, msgspec.Raw(b'{"a":1}'), "m", merged_id="a"),
    UsersMerged("u", 1, 1, message_id="m", merged_id="a", is_alias=True),
])  # fmt: skip
def test_what_is_told_as_an_item_is_read_as_the_same(identified: UserIdentified) -> None:
    assert read_item(decode_item(as_item(identified)), 1) == identified


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"event": "Seen", "timestamp": 1}, "$.user_id: missing"),
        ({"user_id": " ", "event": "Seen", "timestamp": 1}, "$.user_id: empty"),
        ({"user_id": "u1", "timestamp": 1}, "$.event: missing"),
        ({"user_id": "u1", "event": "", "timestamp": 1}, "$.event: empty"),
        ({"user_id": "u1", "event": "Seen"}, "$.timestamp: missing"),
        ({"user_id": "u1", "event": "Seen", "timestamp": "soon"}, "$.timestamp: 'soon' is no"),
        ({"user_id": "u1", "event": "Seen", "timestamp": -1}, "$.timestamp: '-1' is no instant"),
        ({"user_id": "u1", "event": "Seen", "timestamp": 1, "receivedAt": "x"}, "$.received_at:"),
        (
            {"user_id": "u1", "event": "Seen", "receivedAt": 1, "timestamp": 1, "sentAt": "x"},
            "$.se",
        ),
        ({"user_id": "u1", "event": 5, "timestamp": 1}, "$.event: Expected str"),
        ({"user_id": "u1", "event": "Seen", "timestamp": 1, "properties": []}, "$.properties: Exp"),
        ({"user_id": "u1", "type": "identify", "timestamp": 1, "traits": "a"}, "$.traits: Expecte"),
        ({"user_id": "u1", "type": "identify", "timestamp": 1, "context": 1}, "$.context: Expect"),
        ({"user_id": "u1", "type": "trakc"}, "$.type: unknown type 'trakc'; track, identify"),
        ({"user_id": "u" * (TEXT_LENGTH_MAX + 1), "event": "Seen"}, "$.user_id: longer than"),
        ({"user_id": "u1", "event": "S" * (TEXT_LENGTH_MAX + 1)}, "$.event: longer than"),
        (
            {"user_id": "u1", "event": "S", "timestamp": 1, "message_id": "m" * 1_001},
            "$.message_id: longer than",
        ),
        (
            {
                "user_id": "u1",
                "event": "S",
                "timestamp": 1,
                "properties": {str(key): 1 for key in range(PROPERTIES_MAX + 1)},
            },
            "$.properties: has 1001 keys, more than 1000",
        ),
        (
            {
                "user_id": "u1",
                "type": "identify",
                "timestamp": 1,
                "traits": {str(key): 1 for key in range(TRAITS_MAX + 1)},
            },
            "$.traits: has 501 keys, more than 500",
        ),
        (
            {
                "user_id": "u1",
                "type": "identify",
                "timestamp": 1,
                "context": {"traits": {str(key): 1 for key in range(TRAITS_MAX + 1)}},
            },
            "$.context.traits: has 501 keys, more than 500",
        ),
    ],
)
def test_a_fault_names_its_place_and_what_is_wrong(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ItemInvalid) as raised:
        read(**said)
    assert raised.value.text.startswith(told)


@pytest.mark.parametrize("name", ["Session Started", "Session Ended"])
def test_what_the_engine_makes_itself_no_client_may_say(name: str) -> None:
    with pytest.raises(ItemInvalid) as caught:
        read(user_id="u1", event=name, timestamp=AT_MS)
    told = f"$.event: the engine makes {name!r} itself; give your own another name"
    assert caught.value.text == told
    assert read(user_id="u1", event=f"My {name}", timestamp=AT_MS).name == f"My {name}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b'{"user_id": "u1", "event": "S", "timestamp": 1, "properties": {"a": 1e999}}',
        b'{"user_id": "u1", "event": "S", "timestamp": 1, "properties": {"a": "\xff"}}',
        b'{"user_id": "u\xff", "event": "S", "timestamp": 1}',
        b'{"user_id": "u1", "event": "S", "timestamp": 1, "properties": ' + b"[" * 9_999,
        b'{"user_id": "u1", "event": "S", "timestamp": 1, "properties": {"a": %b}}'
        % (b"[" * DEPTH_MAX + b"]" * DEPTH_MAX),
    ],
)
def test_what_a_condition_could_not_read_later_is_refused_now(data: bytes) -> None:
    with pytest.raises(ItemInvalid):
        read_item(decode_item(data))


def test_brackets_in_a_text_do_not_nest() -> None:
    properties = {"a": '\\"[[[' + "[" * 500, "b": [[1]]}
    happened = read(user_id="u1", event="S", timestamp=1, properties=properties)
    assert json.loads(bytes(happened.properties)) == properties


def test_half_a_surrogate_pair_is_read_as_a_replacement_character() -> None:
    halves = rb'{"a": "\ud83d", "b": "\ud83d\ude00"}'
    data = b'{"user_id": "u1", "event": "S", "timestamp": 1, "properties": %b}' % halves
    happened = read_item(decode_item(data))
    assert isinstance(happened, EventReceived)
    assert json.loads(bytes(happened.properties)) == {"a": "\ufffd", "b": "\U0001f600"}


def test_as_many_properties_and_traits_as_may_be_are_taken() -> None:
    for kind, field, most in (
        ("track", "properties", PROPERTIES_MAX),
        ("identify", "traits", TRAITS_MAX),
    ):
        keys = {str(key): 1 for key in range(most)}
        taken = read(type=kind, user_id="u1", event="S", timestamp=1, **{field: keys})
        assert msgspec.json.decode(getattr(taken, field)) == keys


@pytest.mark.parametrize("message_id", ["", "m1"])
def test_an_identify_written_as_an_item_reads_as_it_was(message_id: str) -> None:
    said = UserIdentified("u1", 5, 9, msgspec.Raw(b'{"a":[1,"b"]}'), message_id)
    assert read_item(decode_item(as_item(said)), 9) == said
