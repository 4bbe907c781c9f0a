"""Whatever a source has signed: it is read, or refused in words. Nothing else is ever raised.

A recorded payload is taken and some of its places are filled with any JSON value; its headers name
what they named, or anything. What is read must be an item that can be taken or told to be bad.
"""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.server.answers import Refusal
from engine.server.webhooks.heard import Call, Consented, Feedback, Said
from engine.server.webhooks.sources import Source, sources_of
from tests.server.webhooks.conftest import SOURCES
from tests.server.webhooks.recorded import BIGCOMMERCE, PAYPAL, RECORDED, calls

NOW_MS = 1_767_225_600_000
SAMPLES = list(calls()) if RECORDED.exists() else []

numbers = st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False)
odd = st.sampled_from(
    [10**400, -1, 1e300, "", " ", "9" * 5000, "1e999", "nan", "-inf", "\ud7ff", "\x00", "a@", "@",
     "0000-00-00", "9999-12-31T23:59:59Z", 253_402_300_800, 10**18, [], {}, [[]], [None], [{}]]
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=12) | odd,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


async def nobody(_address: str) -> bytes:
    raise AssertionError("nobody is asked while a call is read")


SHOP: dict[str, Source] = sources_of(
    {**SOURCES, "bigcommerce": BIGCOMMERCE, "paypal": PAYPAL}, nobody
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value, the whole of it first."""
    found = [path]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, one in items:
        found += places(one, (*path, key))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The same with another value at a place, if there still is one."""
    if not path:
        return new
    at = value
    try:
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = new
    except (TypeError, KeyError, IndexError):
        pass
    return value


def read(source: Source, call: Call) -> None:
    """As the door does; Refusal and ItemInvalid are answers."""
    try:
        delivery = source.delivery_of(call)
        heard = list(source.read(call))
    except Refusal as refusal:
        status = refusal.status
    else:
        status = 200
    if status != 200:
        assert 400 <= status < 500
        return
    assert isinstance(delivery, str)
    for one in heard:
        match one:
            case Said():
                item = {**one.item, "user_id": "u", "message_id": f"{delivery}:0"[:100]}
                with suppress(ItemInvalid):
                    read_item(decode_item(json.dumps(item).encode()), NOW_MS)
            case Consented():
                assert all(isinstance(yes, bool) for yes in one.channels.values())
            case Feedback():
                said = (one.address, one.message_id, one.key, one.link, one.user_agent, one.machine)
                assert all(isinstance(text, str) for text in said)


@pytest.mark.skipif(not SAMPLES, reason="the recorded payloads are not here")
@given(st.data())
@settings(max_examples=400)
def test_a_recorded_call_with_anything_in_its_places_is_read_or_refused(data: st.DataObject):
    _, kind, body, headers = data.draw(st.sampled_from(SAMPLES))
    body = copy.deepcopy(body)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places(body)))
        body = changed(body, at, copy.deepcopy(data.draw(anything)))
    headers = {
        name: data.draw(st.just(said) | st.text(max_size=9)) for name, said in headers.items()
    }
    raw = json.dumps(body).encode()
    read(SHOP[kind], Call(headers=headers, body=raw, now_ms=NOW_MS))


@given(st.sampled_from(sorted(SHOP)), anything, st.dictionaries(st.text(max_size=5), st.text()))
@settings(max_examples=300)
def test_any_json_is_read_or_refused(kind: str, body: Any, query: dict[str, str]):
    call = Call(headers={}, body=json.dumps(body).encode(), now_ms=NOW_MS, query=query)
    read(SHOP[kind], call)


@given(st.sampled_from(sorted(SHOP)), st.binary(max_size=80))
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(kind: str, body: bytes):
    read(SHOP[kind], Call(headers={}, body=body, now_ms=NOW_MS))
