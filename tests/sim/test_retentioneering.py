"""A cart rule over six months of a shop, against a count written without any of our code.

The data (retentioneering's synthetic ecommerce set, Apache-2.0) is not part of this repository.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config import load_shop
from engine.sim.run import Options, run_shop
from engine.sim.sources import open_events

DATA = Path(__file__).parents[2] / "../shared/data/events/retentioneering_ecom/ecom.csv.gz"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the data set is not here")

HALF_HOUR = timedelta(minutes=30)


def counted(*, reentry: timedelta | str, restart: bool) -> dict[str, Any]:
    """What the rule must give, user by user, by hand."""
    rows = defaultdict(list)
    with gzip.open(DATA, "rt") as file:
        for row in csv.DictReader(file):
            rows[row["user_id"]].append((datetime.fromisoformat(row["timestamp"]), row["event"]))
    told: dict[str, Any] = {
        "entered": 0,
        "sent": 0,
        "exited": Counter(),
        "refused": Counter(),
    }
    for history in rows.values():
        history.sort(key=lambda row: row[0])
        started: datetime | None = None
        running = False
        for at, event in history:
            if running and started is not None and started + HALF_HOUR <= at:
                told["sent"] += 1
                running = False
            if event == "purchase" and running:
                told["exited"]["event"] += 1
                running = False
            if event != "add_to_cart":
                continue
            if running and not restart:
                told["refused"]["active"] += 1
                continue
            if running:
                told["exited"]["restarted"] += 1
            elif started is not None and (
                reentry == "never" or (isinstance(reentry, timedelta) and at - started < reentry)
            ):
                told["refused"]["reentry"] += 1
                continue
            told["entered"] += 1
            started, running = at, True
        told["sent"] += running
    return told


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("written", "reentry"),
    [("always", "always"), ("never", "never"), ("48h", timedelta(hours=48))],
)
def test_a_cart_rule_gives_what_a_count_by_hand_gives(
    written: str, reentry: timedelta | str, *, restart: bool
) -> None:
    shop = load_shop(
        {
            "hairspring.toml": "",
            "campaigns/cart.yaml": f"""
campaign: cart
enter:
  event: add_to_cart
  reentry: {written}
  while_active: {"restart" if restart else "ignore"}
exit: {{event: purchase}}
steps:
  - {{wait: 30m, id: w}}
  - {{send: in_app, template: nudge, id: first}}
""",
            "templates/nudge.in_app.liquid": "Still there?",
        }
    )
    with open_events(str(DATA)) as source:
        report = run_shop(shop, source, options=Options())
    expected = counted(reentry=reentry, restart=restart)
    cart = report.campaigns[0]
    assert (report.events, report.users, report.bad_lines) == (31_106, 600, 0)
    assert cart.entered == expected["entered"]
    assert cart.sent == {"in_app": expected["sent"]}
    assert cart.exited == dict(expected["exited"])
    assert cart.refused == dict(expected["refused"])
    assert cart.finished == expected["sent"]
