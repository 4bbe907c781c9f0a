"""What a webhook says is held against the tracking plan as what a client says is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.inputs import EventNoticed, EventReceived
from engine.core.intake.forms import Form
from engine.core.intake.tracking_plan import TrackingPlan
from engine.server.admin.quarantine import read_again
from tests.server.webhooks.signing import hmac_hex

if TYPE_CHECKING:
    from tests.server.webhooks.conftest import Called

POINTS = Form(kind="object", properties={"points": Form(kind="integer", required=True)})
PLAN = TrackingPlan(
    {"Points Earned": POINTS, "Parcel lost": Form(kind="object")},
    frozenset({"Parcel lost"}),
    Form(),
)


@pytest.fixture
def plan() -> TrackingPlan:
    return PLAN


def earned(points: Any) -> dict[str, Any]:
    who = {"id": "m7", "mail": "m7@example.com", "tier": "gold"}
    return {"kind": "earned", "points": points, "member": who, "at": "2026-01-01T00:00:00Z"}


async def test_what_fits_is_taken_and_what_does_not_waits_in_the_quarantine(
    called: Called,
) -> None:
    good = await called.call("loyalty", earned(5), "standard", id="one")
    bad = await called.call("loyalty", earned("five"), "standard", id="two")

    # The traits of a call are an item of their own: they are taken with either.
    assert (good.status, good.json["accepted"]) == (200, 2)
    assert (bad.status, bad.json["accepted"]) == (200, 1)
    (rejected,) = bad.json["rejected"]
    assert rejected["path"] == "$.properties.points"
    (kept,) = called.house.quarantined
    assert kept.source == "/webhooks/loyalty"
    # With another plan it is taken as it is.
    (again,) = read_again(kept.source, bytes(kept.body), 1, None)
    assert isinstance(again, EventReceived)
    assert again.name == "Points Earned"


async def test_what_the_plan_calls_passive_is_passive(called: Called) -> None:
    body = json.dumps({"state": "lost", "to": "m7@example.com", "id": "p1"}).encode()
    answer = await called.send("parcels", body, {"X-Parcel-Signature": hmac_hex(body)})
    assert answer.json["accepted"] == 1
    (noticed,) = called.house.inputs
    assert isinstance(noticed, EventNoticed)
