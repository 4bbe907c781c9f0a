"""One errand: asked on the first line of standard input, answered in lines of JSON."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from engine.errors import HairspringError
from engine.runtime.errands import (
    BacktestErrand,
    DiscoverErrand,
    Errand,
    FunnelErrand,
    SimulateErrand,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_MAX_BYTES: Final = 2 << 30
"""What an errand may hold: one that would take more is refused the next byte, and says so."""

_NICE: Final = 15
_encode = msgspec.json.Encoder().encode


def main() -> int:
    """Do it; 0 where there is a result."""
    os.nice(_NICE)
    with suppress(ValueError):  # whoever started the process allows it less
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    try:
        asked, _, body = sys.stdin.buffer.read().partition(b"\n")
        _say({"result": _do(msgspec.json.decode(asked, type=Errand), body, _told)})
    except HairspringError as error:
        _say({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return 1
    except MemoryError:
        hint = "ask for fewer days or events, or have `hairspring simulate` do it"
        message = f"it takes more than {MEMORY_MAX_BYTES >> 30} GiB of memory"
        _say({"error": {"code": "errand.memory", "message": message, "hint": hint}})
        return 1
    return 0


def _do(errand: Errand, body: bytes, told: Callable[[int, int], None]) -> object:
    # Each imports its own part: a funnel needs no templates.
    match errand:
        case SimulateErrand():
            from engine.sim.errands.running import simulate

            return simulate(errand, body, told)
        case BacktestErrand():
            from engine.sim.errands.running import backtest

            return backtest(errand, told)
        case FunnelErrand():
            from engine.sim.errands.looking import funnel

            return funnel(errand, told)
        case DiscoverErrand():
            from engine.sim.errands.looking import discover

            return discover(errand, told)
        case _:
            assert_never(errand)


def _told(done: int, total: int) -> None:
    _say({"done": done, "total": total})


def _say(said: object) -> None:
    sys.stdout.buffer.write(_encode(said) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
