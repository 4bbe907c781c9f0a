"""A house that every kind of source may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config.settings import Settings
from config.webhooks import WebhookSource
from engine.runtime.clock import wall_ms
from engine.runtime.parts import Parts
from engine.server import IngestDoor, listen, make_ingest_app, webhooks_of
from tests.server.house import Answer
from tests.server.webhooks.signing import SECRET, SENDGRID_KEY, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.core.intake.tracking_plan import TrackingPlan
    from engine.server import Site
    from engine.server.webhooks.sns import Fetch
    from tests.server.house import House

KINDS = ("shopify", "woocommerce", "stripe", "standard", "postmark", "mailgun", "resend", "brevo")
SOURCES: dict[str, WebhookSource] = {
    **{kind: WebhookSource(secret=SECRET) for kind in KINDS},
    "sendgrid": WebhookSource(secret=SENDGRID_KEY),
    "ses": WebhookSource(),
    "no-secret": WebhookSource(kind="shopify"),
    "loyalty": WebhookSource(
        secret=SECRET,
        event='body.kind == "earned" ? "Points Earned" : null',
        user_id="body.member.id",
        email="body.member.mail",
        properties='{"points": body.points}',
        traits='{"tier": body.member.tier}',
        timestamp="timestamp(body.at)",
        passive=True,
    ),
    "till": WebhookSource(secret=SECRET, signature="token", event="body.kind", user_id="body.of"),
    "amazon": WebhookSource(kind="ses", secret=SECRET),
    "parcels": WebhookSource(
        secret=SECRET,
        signature="hmac-hex",
        header="X-Parcel-Signature",
        event='"Parcel " + body.state',
        email="body.to",
        message_id="body.id",
    ),
}


class Called:
    """The house, and calls to it as sources make them."""

    def __init__(self, house: House, site: Site) -> None:
        self.house = house
        self.port = site.port
        self._url = site.url

    async def call(self, name: str, value: Any, kind: str = "", **headers: str) -> Answer:
        """A call that its source has signed."""
        body, signed_headers = signed(kind or name, value, wall_ms(), **headers)
        return await self.send(name, body, signed_headers)

    async def send(
        self, name: str, body: bytes | AsyncIterator[bytes], headers: dict[str, str]
    ) -> Answer:
        url = f"{self._url}/webhooks/{name}"
        async with self.house.client.post(url, data=body, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.text())


@pytest.fixture
def fetch() -> Fetch | None:
    return None


@pytest.fixture
def plan() -> TrackingPlan | None:
    return None


@pytest.fixture
async def called(
    house: House, fetch: Fetch | None, plan: TrackingPlan | None
) -> AsyncIterator[Called]:
    door = IngestDoor(
        submit=house.shell.submit,
        now_ms=house.clock.now_ms,
        keys=(),
        why_not_ready=str,
        metrics=house.metrics,
        log=house.log,
        instance="test",
        monotonic_ns=lambda: house.monotonic_ns,
        webhooks=webhooks_of(
            Settings(webhooks=SOURCES),
            Parts(house.store, house.shell, house.processor, house.clock, house.metrics),
            fetch=fetch,
            tracking_plan=lambda: plan,
        ),
    )
    async with await listen(make_ingest_app(door), "127.0.0.1", 0, log=house.log) as site:
        yield Called(house, site)
