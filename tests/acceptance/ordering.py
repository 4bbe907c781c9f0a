"""An order, as a shop says it to a running process."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any


def order(url: str, number: int) -> None:
    user = f"u{number}"
    batch: list[dict[str, Any]] = [
        {"type": "identify", "userId": user, "traits": {"email": f"{user}@example.com"}},
        {"type": "track", "userId": user, "event": "Order Completed"},
    ]
    batch[0]["traits"]["consent"] = {"email": True}
    batch[1]["properties"] = {"order_id": f"o{number}"}
    request = urllib.request.Request(
        f"{url}/v1/batch",
        json.dumps({"batch": batch, "writeKey": "demo-write-key"}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
