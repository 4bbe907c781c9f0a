"""Amazon is asked for its certificate, and not as often as anybody likes."""

from __future__ import annotations

import asyncio
import json

import pytest

from engine.runtime.clock import wall_ms
from engine.server.answers import Refusal
from engine.server.webhooks import sns
from engine.server.webhooks.heard import Call
from tests.server.webhooks.signing import Amazon


def forged(number: int) -> Call:
    """What names a certificate that there may be."""
    address = f"https://sns.eu-west-1.amazonaws.com/{number}.pem"
    envelope = Amazon().envelope("Notification", "{}") | {"SigningCertURL": address}
    return Call(headers={}, body=json.dumps(envelope).encode(), now_ms=wall_ms())


async def test_a_flood_of_envelopes_is_no_flood_of_requests_to_amazon() -> None:
    answer = asyncio.Event()
    asked: list[str] = []

    async def fetch(address: str) -> bytes:
        asked.append(address)
        await answer.wait()
        return b"no certificate"

    amazon = sns.Amazon(fetch)
    flood = [asyncio.create_task(amazon.verify(forged(number), "")) for number in range(8)]
    done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    answer.set()
    told = await asyncio.gather(*flood, return_exceptions=True)

    assert len(asked) == sns.ASKED_AT_ONCE_MAX
    assert len(done) > 0
    statuses = [one.status for one in told if isinstance(one, Refusal)]
    assert sorted(statuses) == [401] * 4 + [503] * 4
    # Then it is asked again.
    with pytest.raises(Refusal, match="no certificate with an RSA key"):
        await amazon.verify(forged(9), "")
    assert len(asked) == sns.ASKED_AT_ONCE_MAX + 1
