"""A disk that is filled, and a process that notices."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.faults.life import ask, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.life import Life

PAGE = 4096


def metric(life: Life, name: str) -> float:
    _, said = ask(life.serving.admin_url, "GET", "/metrics")
    found = re.search(rf"^hairspring_{name} (\S+)$", said, re.MULTILINE)
    assert found, said
    return float(found[1])


def is_ready(life: Life) -> bool:
    return ask(life.serving.admin_url, "GET", "/readyz")[0] == 200


def fill(disk: Path) -> Path:
    """Take all room that there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(PAGE)):
            pass
    return filler


def at_rest(life: Life) -> None:
    """Wait until nothing is on its way: the next commit is that of the next order."""
    until(lambda: life.all_arrived() and not metric(life, "deliveries_held"))


def place_what_waits(life: Life, number: int) -> threading.Thread:
    """Place an order whose commit does not go through; it waits for its answer."""
    placing = threading.Thread(target=life.place, args=(number,))
    placing.start()
    until(lambda: metric(life, "journal_failing"))
    assert not is_ready(life)
    return placing
