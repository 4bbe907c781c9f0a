"""What every peer is asked to do; it needs nothing but Python.

A folder has `plan.json`: how many delays, when the first is due, over how long they spread, and
where Redis is. A delay that runs appends a line to `ran.ndjson` of that folder, in one write.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

_opened: dict[str, int] = {}


def plan(folder: str) -> dict[str, Any]:
    """The plan of a folder."""
    read: dict[str, Any] = json.loads((Path(folder) / "plan.json").read_text())
    return read


def delays(folder: str) -> list[tuple[str, int]]:
    """(name, due_at_ms) of each delay, in order of time."""
    asked = plan(folder)
    count, first, spread = asked["count"], asked["first_at_ms"], asked["spread_ms"]
    return [(f"delay-{number}", first + spread * number // count) for number in range(count)]


def is_scheduled(folder: str) -> bool:
    """Whether an earlier run of the worker has scheduled everything."""
    return (Path(folder) / "scheduled").exists()


def mark_scheduled(folder: str) -> None:
    """Say that everything is scheduled durably."""
    (Path(folder) / "scheduled").touch()


def run(folder: str, name: str, due_at_ms: int) -> None:
    """The delay is over."""
    line = json.dumps({"name": name, "due_at_ms": due_at_ms, "at_ns": time.time_ns()}) + "\n"
    if folder not in _opened:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        _opened[folder] = os.open(Path(folder) / "ran.ndjson", flags, 0o644)
    os.write(_opened[folder], line.encode())
