"""Whether a webhook is of its source, beside the bare HMAC that this rests on.

Both sides go over the same calls in turn: orders of some 16 KiB, as shops send them, each signed as
its source signs. The reference has the key at hand and knows what stands where; it joins what is
signed, computes the HMAC in one go and compares in constant time. Ours reads the headers, bounds
what they may bring, judges the age, and says no in words; one call in a hundred is signed with
another secret.
"""

from __future__ import annotations

import hmac
import random
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

import msgspec

from bench.harness import Laps, Run
from engine.server.answers import Refusal
from engine.server.webhooks.heard import Call
from engine.server.webhooks.signatures import check_hmac_base64, check_standard, check_stripe

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_S: Final = 1_767_225_600
SECRET: Final = "whsec_" + b64encode(b"a secret of the tests, 32 bytes.").decode()
WRONG: Final = "whsec_" + b64encode(b"a secret of somebody else, so no").decode()
BODIES: Final = 60
LINES: Final = 130
WRONG_EACH: Final = 100
HEADER: Final = "X-Shopify-Hmac-Sha256"


class Signed(msgspec.Struct, frozen=True, gc=False):
    """A call, what is signed before its body, with which key, and what comes of that."""

    call: Call
    check: int
    key: bytes
    before: bytes
    right: bytes


CHECKS: Final[tuple[Callable[[Call], object], ...]] = (
    lambda call: check_hmac_base64(call, HEADER, SECRET),
    lambda call: check_stripe(call, SECRET),
    lambda call: check_standard(call, SECRET),
)


class Signatures:
    """All three ways in turn."""

    name = "signatures"
    title = "webhooks of 16 KiB as Shopify, Stripe and Standard Webhooks sign them; over bare HMAC"
    n = 15_000
    n_small = 300
    limit = 1.2
    repetitions = 9

    def prepare(self, n: int) -> list[Signed]:
        """The calls, the same each time."""
        drawn = random.Random(7)
        bodies = [
            msgspec.json.encode({"id": place, "lines": [drawn.randbytes(60).hex()] * LINES})
            for place in range(BODIES)
        ]
        return [_signed(bodies[place % BODIES], place) for place in range(n)]

    def reference(self, load: list[Signed]) -> Run:
        """HMAC in one go, compared in constant time."""
        laps, good = Laps(), 0
        with laps.running():
            for one in load:
                digest = hmac.digest(one.key, one.before + one.call.body, "sha256")
                good += hmac.compare_digest(digest, one.right)
        return Run(laps.seconds, good)

    def ours(self, load: list[Signed]) -> Run:
        """As the door asks."""
        laps, good = Laps(), 0
        with laps.running():
            for one in load:
                try:
                    CHECKS[one.check](one.call)
                except Refusal:
                    continue
                good += 1
        return Run(laps.seconds, good)


def _signed(body: bytes, place: int) -> Signed:
    check = place % len(CHECKS)
    secret = WRONG if place % WRONG_EACH == 0 else SECRET
    key, known, before = secret.encode(), SECRET.encode(), b""
    if check == 1:
        before = f"{NOW_S}.".encode()
    elif check == 2:
        key, known, before = _key(secret), _key(SECRET), f"msg_{place}.{NOW_S}.".encode()
    digest = hmac.digest(key, before + body, "sha256")
    given = (
        {HEADER: b64encode(digest).decode()},
        {"Stripe-Signature": f"t={NOW_S},v1={digest.hex()}"},
        {
            "webhook-id": f"msg_{place}",
            "webhook-timestamp": str(NOW_S),
            "webhook-signature": "v1," + b64encode(digest).decode(),
        },
    )[check]
    call = Call(headers=given, body=body, now_ms=NOW_S * 1_000)
    return Signed(call, check, known, before, digest)


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix("whsec_"))


SCENARIOS = (Signatures(),)
