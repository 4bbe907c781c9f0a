"""Every recorded payload over a real socket: taken where its source signed it, and else by nobody.

What each is taken for is `test_samples`; here each is signed well, wrongly, not at all, and
long ago.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.runtime.clock import wall_ms
from engine.server.webhooks.heard import Call, Feedback
from engine.server.webhooks.sns import OLD_MAX_MS
from engine.server.webhooks.sources import sources_of
from tests.server.house import BEARER
from tests.server.webhooks.conftest import SOURCES
from tests.server.webhooks.recorded import RECORDED, calls
from tests.server.webhooks.signing import TIMED, Amazon, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.server.webhooks.sns import Fetch
    from tests.server.webhooks.conftest import Called

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded webhooks are not here")

KINDS = ("shopify", "woocommerce", "stripe", "ses", "sendgrid", "postmark", "mailgun", "resend",
         "brevo")  # fmt: skip
AMAZON = Amazon()
OLD_MS = {"ses": OLD_MAX_MS + 1_000}
"""Since when a signature is too old: five minutes, where nothing else is said."""

Request = tuple[bytes, dict[str, str]]


@pytest.fixture
def fetch() -> Fetch:
    return AMAZON.fetch


def samples(kind: str) -> Iterator[tuple[str, Any, dict[str, str]]]:
    """Name, body and headers of each of a source."""
    for name, source, body, headers in calls():
        if source == kind:
            yield name, body, headers


def call_of(kind: str, name: str, body: Any, headers: dict[str, str], at_ms: int) -> Request:
    """The sample as its source would send it, signed at that instant."""
    if kind == "ses":
        more = {key: body[key] for key in ("Subject",) if key in body}
        more["MessageId"] = name
        envelope = AMAZON.envelope("Notification", body["Message"], at_ms=at_ms, **more)
        return json.dumps(envelope).encode(), headers
    own = {"resend": {"id": name}, "mailgun": {"token": name}}.get(kind, {})
    return signed(kind, body, at_ms, **headers, **own)


def unsigned(kind: str, body: bytes) -> Request:
    """The same without what its source signs it with."""
    within = {"ses": ("Signature",), "mailgun": ("signature", "token", "timestamp")}.get(kind, ())
    said = json.loads(body)
    if not within:
        return body, {}
    return json.dumps({key: one for key, one in said.items() if key not in within}).encode(), {}


def forged(kind: str, body: bytes, headers: dict[str, str]) -> Request:
    """The same signature over something else, or another's secret."""
    if kind in {"postmark", "brevo"}:
        return body, {"Authorization": "Bearer another"}
    if kind == "mailgun":
        return body.replace(b'"token": "', b'"token": "0'), headers
    if kind == "ses":
        return body.replace(b'"MessageId": "', b'"MessageId": "0', 1), headers
    return body + b" ", headers


async def introduce(called: Called, kind: str) -> None:
    """Have everybody known of whom the samples tell that mail did not reach them, and the like."""
    source = sources_of({kind: SOURCES[kind]}, AMAZON.fetch)[kind]
    for _, body, headers in samples(kind):
        call = Call(headers=headers, body=json.dumps(body).encode(), now_ms=0)
        for heard in source.read(call):
            if isinstance(heard, Feedback):
                said = {"type": "identify", "user_id": f"of {heard.address}"}
                traits = {"traits": {"email": heard.address}}
                answer = await called.house.post("/events", said | traits, headers=BEARER)
                assert answer.status == 200


@pytest.mark.parametrize("kind", KINDS)
async def test_each_sample_is_taken_where_its_source_signed_it(called: Called, kind: str) -> None:
    await introduce(called, kind)
    source = sources_of({kind: SOURCES[kind]}, AMAZON.fetch)[kind]
    for name, body, headers in samples(kind):
        sent, signed_headers = call_of(kind, name, body, headers, wall_ms())
        answer = await called.send(kind, sent, signed_headers)
        plain = Call(headers=headers, body=json.dumps(body).encode(), now_ms=0)
        assert (answer.status, answer.json["rejected"]) == (200, []), name
        assert answer.json["accepted"] >= len(list(source.read(plain))), name


@pytest.mark.parametrize("kind", KINDS)
async def test_no_sample_is_taken_from_anybody_else(called: Called, kind: str) -> None:
    for name, body, headers in samples(kind):
        sent, signed_headers = call_of(kind, name, body, headers, wall_ms())
        called.house.monotonic_ns += 1_000_000_000  # or its address had to wait
        for wrong in (unsigned(kind, sent), forged(kind, sent, signed_headers)):
            answer = await called.send(kind, *wrong)
            assert (answer.status, answer.json["code"]) == (401, "webhook.signature"), name
    assert called.house.inputs == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in (*TIMED, "ses")])
async def test_no_sample_is_taken_that_was_signed_long_ago(called: Called, kind: str) -> None:
    for name, body, headers in samples(kind):
        called.house.monotonic_ns += 1_000_000_000  # or its address had to wait
        late = call_of(kind, name, body, headers, wall_ms() - OLD_MS.get(kind, 301_000))
        answer = await called.send(kind, *late)
        assert (answer.status, answer.json["code"]) == (401, "webhook.stale"), name
    assert called.house.inputs == []
