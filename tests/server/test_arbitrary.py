"""Whatever bytes come, nothing breaks and no good item is lost."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.inputs import EventReceived, UserIdentified, decode_inputs, encode_inputs
from tests.server.house import House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROUTES = st.sampled_from(["/events", "/v1/track", "/v1/identify", "/v1/page", "/v1/batch"])
FEW = settings(max_examples=120)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(
    [
        *["type", "event", "user_id", "userId", "anonymousId", "message_id", "messageId"],
        *["timestamp", "sentAt", "originalTimestamp", "properties", "traits", "context"],
        *["name", "category", "anonymous_id", "previousId", "groupId"],
    ]
)
items = st.dictionaries(
    fields, anything | st.sampled_from(["track", "identify", "page", "alias", "group"])
)
broken_fragments = st.sampled_from(
    [
        b'{"user_id":"b\xff","event":"E"}',
        b'{"user_id":"b","event":"E","properties":{"a":"\xed\xa0\x80"}}',
        b'{"user_id":"b","event":"E","properties":{"a":-1e999}}',
        b'{"user_id":"b","event":"E","properties":[1]}',
        b'{"user_id":"b","event":"E","properties":{"a":' + b"[" * 200 + b"]" * 200 + b"}}",
        b'{"user_id":"","event":"E"}',
        b'{"user_id":"b","event":"E","timestamp":"0000-13-40"}',
        b'{"type":"alias","user_id":"b"}',
        b"5",
        b"null",
        b'"text"',
        b"[{}]",
    ]
)


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Callable[[str, bytes], tuple[int, Any, House]]]:
    """Posts to one running house; forgets what it held before."""
    with asyncio.Runner() as runner:
        house = runner.run(House.start(tmp_path))

        def send(route: str, body: bytes) -> tuple[int, Any, House]:
            house.store.committed.clear()
            house.lines.entries.clear()
            answer = runner.run(house.post(route, body))
            return answer.status, answer.json, house

        try:
            yield send
        finally:
            runner.run(house.aclose())


def assert_whole(house: House) -> None:
    """What was taken can be journaled, read again and decoded by whoever asks for it."""
    for taken in decode_inputs(encode_inputs(house.inputs)):
        assert isinstance(taken, EventReceived | UserIdentified)
        raw = taken.properties if isinstance(taken, EventReceived) else taken.traits
        assert isinstance(json.loads(bytes(raw)), dict)
        assert 0 <= taken.occurred_at_ms <= taken.received_at_ms <= taken.at_ms
        assert taken.user_id


def test_no_bytes_break_the_server(
    send: Callable[[str, bytes], tuple[int, Any, House]],
) -> None:
    @FEW
    @given(ROUTES, st.binary(max_size=200), st.booleans())
    def check(route: str, body: bytes, packed: bool) -> None:
        status, _, house = send(route, gzip.compress(body) if packed else body)

        assert status in {200, 400}
        assert_whole(house)

    check()


def test_no_json_breaks_the_server(
    send: Callable[[str, bytes], tuple[int, Any, House]],
) -> None:
    @FEW
    @given(ROUTES, items | st.lists(items, max_size=5) | anything, st.booleans())
    def check(route: str, said: Any, wrapped: bool) -> None:
        body = {"batch": said} if wrapped else said
        status, _, house = send(route, json.dumps(body).encode())

        assert status in {200, 400}
        assert_whole(house)

    check()


def test_a_mutated_body_is_taken_or_refused_but_breaks_nothing(
    send: Callable[[str, bytes], tuple[int, Any, House]],
) -> None:
    valid = json.dumps(
        {
            "batch": [
                {
                    "type": "track",
                    "userId": "u",
                    "event": "E",
                    "timestamp": "2026-01-01T00:00:00.123Z",
                    "properties": {"price": 1.5, "name": "caf\u00e9 \U0001f600"},
                }
            ],
            "sentAt": "2026-01-01T00:00:01Z",
        }
    ).encode()

    @FEW
    @given(st.data())
    def check(data: st.DataObject) -> None:
        body = bytearray(valid)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(body) - 1))
            body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        status, _, house = send(data.draw(ROUTES), bytes(body))

        assert status in {200, 400}
        assert_whole(house)

    check()


def test_good_items_are_never_lost_among_bad_ones(
    send: Callable[[str, bytes], tuple[int, Any, House]],
) -> None:
    @FEW
    @given(
        st.lists(st.none() | broken_fragments, min_size=1, max_size=12),
        st.sampled_from(["array", "lines", "batch"]),
    )
    def check(pattern: list[bytes | None], form: str) -> None:
        said = [
            b'{"type":"track","user_id":"g%d","event":"E"}' % place if bad is None else bad
            for place, bad in enumerate(pattern)
        ]
        good = [f"g{place}" for place, bad in enumerate(pattern) if bad is None]
        if form == "lines":
            # The last one makes NDJSON of it, whatever stands before.
            said.append(b'{"user_id":"last","event":"E"}')
            good.append("last")
            route, body = "/events", b"\n".join(said)
        elif form == "array":
            route, body = "/events", b"[" + b",".join(said) + b"]"
        else:
            route, body = "/v1/batch", b'{"batch":[' + b",".join(said) + b"]}"
        status, _, house = send(route, body)

        assert (200 if good else 400) == status
        assert good == [taken.user_id for taken in house.inputs]  # type: ignore[union-attr]
        assert len(said) - len(good) == len(house.quarantined)

    check()
