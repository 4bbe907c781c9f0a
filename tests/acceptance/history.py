"""Recorded events, as a file to bring in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


YEAR_AGO = "2020-05-01T10:00:00Z"


def events(path: Path, *more: dict[str, Any]) -> Path:
    lines: list[dict[str, Any]] = [
        {
            "type": "identify",
            "user_id": "old",
            "timestamp": YEAR_AGO,
            "traits": {"email": "old@example.com", "consent": {"email": True}},
        },
        {"user_id": "old", "event": "Order Completed", "timestamp": YEAR_AGO},
        {"user_id": "old", "event": "Order Cancelled", "timestamp": YEAR_AGO, "message_id": "m"},
        {"user_id": "u1", "event": "Order Cancelled", "timestamp": YEAR_AGO},
        {
            "type": "identify",
            "user_id": "u1",
            "timestamp": YEAR_AGO,
            "traits": {"email": "before@example.com", "city": "Bern"},
        },
        *more,
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "no event\n")
    return path
