"""Whatever stands in what is read, it is read or refused: nothing else is raised or broken.

Webhooks have `webhooks/test_readers.py`, whole bodies on a port `test_arbitrary.py`, starts by hand
`test_starting.py`, a shop's files `tests/config/test_mutations.py`.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.tokens import Signer, TokenInvalid, unpack_facts
from engine.core.inputs import EventReceived, UserIdentified, decode_inputs, encode_inputs
from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.server import pixel, posthog, segment
from engine.server.admin.quarantine import read_again
from engine.server.answers import Refusal
from engine.server.webhooks.heard import Call
from engine.server.webhooks.sns import Amazon
from tests.server.by_twilio import PATH, SHOP, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW_MS = 1_767_225_600_000
MANY = settings(max_examples=200)
SOURCES = [*posthog.ROUTES, *segment.ROUTES, "/events", "/track", "/v1/scores", "/webhooks/stripe"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["2026-01-01T00:00:00Z", "9" * 5_000, "0000-13-40", "\x00", " "])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
captured = st.dictionaries(
    st.sampled_from(
        ["distinct_id", "event", "properties", "timestamp", "sent_at", "uuid", "$set", "$set_once"]
    ),
    anything
    | st.sampled_from(["$identify", "$create_alias", "$groupidentify", "$pageview", "$screen"])
    | st.dictionaries(
        st.sampled_from(
            ["$set", "$set_once", "$anon_distinct_id", "alias", "$group_key", "$group_set",
             "$is_identified", "$current_url", "$screen_name"]
        ),
        anything,
        max_size=4,
    ),
)  # fmt: skip


@given(captured, st.text(max_size=9) | st.integers() | st.none())
@MANY
def test_an_item_of_posthog_is_inputs_that_can_be_journaled_or_refused(
    said: dict[str, Any], sent_at: str | int | None
) -> None:
    try:
        inputs = posthog.read_captured(json.dumps(said).encode(), NOW_MS, sent_at)
    except ItemInvalid:
        return
    assert inputs
    assert len(decode_inputs(encode_inputs(inputs))) == len(inputs)


@given(st.lists(st.tuples(st.sampled_from([*pixel.FIELDS, pixel.KEY, "x"]), st.text(max_size=30))))
@MANY
def test_parameters_of_a_pixel_are_an_item_that_is_read_or_refused(
    parameters: list[tuple[str, str]],
) -> None:
    item = decode_item(pixel.item_of(parameters))
    with suppress(ItemInvalid):
        assert read_item(item, NOW_MS).user_id


@given(st.binary(max_size=60))
@MANY
def test_what_a_beacon_sends_is_a_form_json_or_refused(body: bytes) -> None:
    try:
        form = pixel.form_of(body)
    except Refusal as refusal:
        status = refusal.status
    else:
        status = 200
    if status != 200:
        assert status == 400
        return
    assert all(isinstance(value, str) for value in form.values())


@given(
    st.sampled_from(SOURCES),
    st.binary(max_size=60) | anything.map(lambda a: json.dumps(a).encode()),
)
@MANY
def test_what_lies_in_the_quarantine_is_taken_or_stays(source: str, body: bytes) -> None:
    try:
        inputs = read_again(source, body, NOW_MS)
    except ItemInvalid:
        return
    assert len(decode_inputs(encode_inputs(inputs))) == len(inputs) > 0


GOOD_LINES = encode_inputs(
    [
        EventReceived("u1", "Seen", NOW_MS, NOW_MS, msgspec.Raw(b'{"a":"\xc3\xa9"}')),
        UserIdentified("u1", NOW_MS, NOW_MS, msgspec.Raw(b'{"email":"a@b.example"}')),
    ]
)


@given(st.data())
@MANY
def test_damaged_lines_of_the_journal_are_read_or_told_as_damaged(data: st.DataObject) -> None:
    lines = bytearray(GOOD_LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        inputs = decode_inputs(bytes(lines))
    except msgspec.DecodeError:
        return
    assert len(inputs) <= 3


@given(st.text(max_size=120) | st.binary(max_size=80).map(lambda raw: "v1." + raw.hex()))
@MANY
def test_no_text_is_a_token_that_nobody_signed(said: str) -> None:
    signer = Signer(["a-signing-key"])
    for purpose in ("open", "click", "unsubscribe", "preferences", "survey"):
        with pytest.raises(TokenInvalid):
            signer.read(purpose, said, NOW_MS)  # type: ignore[arg-type]
    with pytest.raises(TokenInvalid):
        signer.read_user(said, NOW_MS)


@given(st.binary(max_size=60))
@MANY
def test_facts_of_any_bytes_are_read_or_refused(payload: bytes) -> None:
    """Signed or not: a key may be shared with another program."""
    try:
        facts = unpack_facts(payload)
    except TokenInvalid:
        return
    assert isinstance(facts.user_id, str)


envelopes = st.dictionaries(
    st.sampled_from(
        ["Type", "Message", "MessageId", "Timestamp", "TopicArn", "SignatureVersion", "Signature",
         "SigningCertURL", "SubscribeURL", "Token", "Subject"]
    ),
    anything
    | st.sampled_from(
        ["Notification", "SubscriptionConfirmation", "2", "AAAA",
         "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"]
    ),
)  # fmt: skip


@given(envelopes, st.binary(max_size=40))
@MANY
def test_no_envelope_of_sns_is_taken_that_amazon_did_not_sign(
    envelope: dict[str, Any], certificate: bytes
) -> None:
    async def fetch(_: str) -> bytes:
        return certificate

    call = Call(headers={}, body=json.dumps(envelope).encode(), now_ms=NOW_MS)
    with pytest.raises(Refusal) as refused:
        asyncio.run(Amazon(fetch).verify(call, ""))
    assert refused.value.status in {400, 401}


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[Callable[[str, dict[str, str]], int]]:
    """Calls a house as Twilio would, signed."""
    with asyncio.Runner() as runner:
        house = runner.run(opened(tmp_path, help_text="Write to us"))
        runner.run(house.knows("u1", phone="+33612345678"))

        def call(address: str, fields: dict[str, str]) -> int:
            return runner.run(house.call(address, **fields)).status

        try:
            yield call
        finally:
            runner.run(house.aclose())


numbers = st.sampled_from(["9" * 5_000, "9" * 19, "-1", "21610", "30005", "x", ""])
words = st.text(max_size=8) | st.sampled_from(["delivered", "failed", "STOP", "START", "HELP"])


def test_whatever_twilio_signs_is_heard_and_breaks_nothing(
    twilio: Callable[[str, dict[str, str]], int],
) -> None:
    fields = st.dictionaries(
        st.sampled_from(["MessageStatus", "ErrorCode", "MessageSid", "To", "From", "Body",
                         "OptOutType"]),
        words | numbers | st.just("+33612345678"),
    )  # fmt: skip

    @settings(max_examples=100)
    @given(fields, numbers)
    def check(said: dict[str, str], at: str) -> None:
        said["MessageSid"] = said.get("MessageSid", "") or "SM1"  # an empty form is no call
        address = f"{SHOP}{PATH}?user=u1&id=m1&campaign=c&at={at}"
        assert twilio(address, said) in {200, 204}

    check()
