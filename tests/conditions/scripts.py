"""Small scripts, written by hand, that the engine and the oracle must answer alike."""

from __future__ import annotations

from typing import Any

from tests.conditions.functions import Count, Reckoned
from tests.conditions.play import play
from tests.conditions.trees import Compared, Literal

HOUR = 3_600_000


def did(name: str, window: int | None = None) -> Count:
    return Count(name, window, None, "did")


def count(name: str, by: str, number: int, window: int | None = 10) -> Compared:
    return Compared(Count(name, window), by, Literal(number))


def total(by: str, number: float, window: int | None = 10) -> Compared:
    return Compared(Reckoned("sum", "A", "n", window), by, Literal(number))


def happening(at: int, name: str, said: dict[str, Any] | None = None, t: int | None = None) -> Any:
    return {"at": at, "kind": "event", "name": name, "age": 0 if t is None else at - t,
            "said": said or {}}  # fmt: skip


def told_of(at: int, **traits: Any) -> Any:
    return {"at": at, "kind": "identify", "said": traits}


def away(stopped: int, at: int, grace: int) -> tuple[Any, Any]:
    """Nobody serves until `at`; what fell due since `stopped` waits until the grace is over."""
    return {"at": stopped, "kind": "advance"}, {"at": at, "kind": "down", "grace": grace}


def case_of(campaigns: list[Any], script: tuple[Any, ...], *, after: int = 40, **more: Any) -> Any:
    now = 0
    happenings = []
    for one in script:
        happenings.append({"user": "u", "later": one["at"] - now, **one})
        now = one["at"]
    return {"campaigns": campaigns, "segments": {}, "script": happenings, "after": after, **more}


def campaign(enter: dict[str, Any], *steps: Any, **more: Any) -> dict[str, Any]:
    return {"id": "c", "priority": 50, "enter": enter, "exit": {}, "audience": None,
            "steps": list(steps) or [{"exit": "done"}], **more}  # fmt: skip


def agreed(case: Any) -> list[str]:
    """What both say: `10 entered`, `12 exited condition`."""
    engine, oracle = play(case)
    assert engine == oracle
    return [" ".join([str(at), kind, said]).strip() for at, _, _, kind, said in oracle]


def rises(condition: Any, *script: Any, after: int = 40, **more: Any) -> list[int]:
    told = agreed(case_of([campaign({"when": condition})], script, after=after, **more))
    return [int(line.split()[0]) for line in told if line.endswith("entered")]
