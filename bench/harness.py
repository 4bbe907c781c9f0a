"""How a scenario is measured: interleaved with its reference, by the median of ratios.

A machine that others use, or that changes its clock rate, spoils seconds and not ratios of
things done in turn. So each repetition runs the reference line and ours one after the other
(and the other way round the next time), and what counts is the median of the ratios.
"""

from __future__ import annotations

import statistics
import sys
import time
from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
from typing_extensions import override

from engine.runtime.memory import release_collector, settle_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

L = TypeVar("L")


class Run(msgspec.Struct, frozen=True):
    """What one side of a scenario did.

    Attributes:
        seconds: The time that counts, without making the load.
        outcome: What it put out; must equal the other side's, which is its oracle.
        laps_ns: The time of each part where a pause matters (each turn, each request); may be
            empty.
    """

    seconds: float
    outcome: object
    laps_ns: list[int] = []


class Standing(AbstractContextManager["Standing"]):
    """A load that has servers or files of its own, which are there while it is entered."""

    def __init__(self) -> None:
        self._opened = ExitStack()

    @abstractmethod
    def open(self, opening: ExitStack) -> None:
        """Open them, and leave to `opening` how each is closed, also where a later one fails."""

    @override
    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self.open(opening)
            self._opened = opening.pop_all()
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.__exit__(kind, error, trace)


class Scenario(Protocol[L]):
    """One measurement; a module of `bench/` lists its own in a tuple `SCENARIOS`.

    Attributes:
        name: Lower case with hyphens; stable, since history is kept by it.
        title: What is measured against what, in a line.
        n: How many items a full run has, and `n_small` a small one.
        limit: The ratio, ours over reference, that must not be exceeded in a full run.
        repetitions: How often both sides are run.

    One whose sides go on where they were may have `pieces`: each side is then run so often in a
    repetition, for as much of it.
    """

    name: str
    title: str
    n: int
    n_small: int
    limit: float
    repetitions: int

    def prepare(self, n: int) -> L:
        """Make the load for `n` items, the same each time; not measured.

        A load that is a context manager (`Standing`, say) is entered before the first repetition
        and left after the last.
        """
        ...

    def reference(self, load: L) -> Run:
        """Run the line to compare with on `load`, which it must not change."""
        ...

    def ours(self, load: L) -> Run:
        """Run ours on `load`, which it must not change."""
        ...


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One line of history. Laps are in microseconds; 0 where a scenario has none."""

    commit: str
    scenario: str
    n: int
    ratio: float
    limit: float
    ratios: list[float]
    ours_us_each: float
    reference_us_each: float
    lap_us_p50: float
    lap_us_p99: float
    lap_us_max: float
    rss_bytes_max: int
    reference_lap_us_p50: float = 0.0
    reference_lap_us_p99: float = 0.0
    reference_lap_us_max: float = 0.0

    @property
    def is_within_limit(self) -> bool:
        """Whether the ratio does not exceed the limit."""
        return self.ratio <= self.limit


class Disagreement(Exception):  # noqa: N818 - it is a finding about two results, not an error of use
    """Ours and the reference did not put out the same: a figure would mean nothing."""


class Laps:
    """A stopwatch for one run and, if wanted, for each of its parts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.laps_ns: list[int] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what happens inside, with the collector set as the process sets it.

        So it stays on, looks seldom, and what the load holds is frozen.
        """
        settle_collector()
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started
            release_collector()


def measure(scenario: Scenario[L], n: int, commit: str, show: Callable[[str], None]) -> Result:
    """Run both sides in turn and sum them up.

    Raises:
        Disagreement: The outcomes differ.
    """
    show(f"{scenario.name}: making the load")
    load = scenario.prepare(n)
    ratios: list[float] = []
    ours_s: list[float] = []
    reference_s: list[float] = []
    laps_ns: list[int] = []
    reference_laps_ns: list[int] = []
    with ExitStack() as standing:
        if isinstance(load, AbstractContextManager):
            standing.enter_context(load)
        for repetition in range(scenario.repetitions):
            show(f"{scenario.name}: repetition {repetition + 1} of {scenario.repetitions}")
            reference, ours = _both(scenario, load, repetition)
            if ours.outcome != reference.outcome:
                message = f"{scenario.name}: the outcome of ours is not that of the reference"
                raise Disagreement(message)
            ratios.append(ours.seconds / reference.seconds)
            ours_s.append(ours.seconds)
            reference_s.append(reference.seconds)
            laps_ns += ours.laps_ns
            reference_laps_ns += reference.laps_ns
    laps_ns.sort()
    reference_laps_ns.sort()
    return Result(
        commit=commit,
        scenario=scenario.name,
        n=n,
        ratio=round(statistics.median(ratios), 4),
        limit=scenario.limit,
        ratios=[round(ratio, 4) for ratio in ratios],
        ours_us_each=round(statistics.median(ours_s) / n * 1e6, 3),
        reference_us_each=round(statistics.median(reference_s) / n * 1e6, 3),
        lap_us_p50=_quantile_us(laps_ns, 0.5),
        lap_us_p99=_quantile_us(laps_ns, 0.99),
        lap_us_max=_quantile_us(laps_ns, 1.0),
        rss_bytes_max=rss_bytes_max(),
        reference_lap_us_p50=_quantile_us(reference_laps_ns, 0.5),
        reference_lap_us_p99=_quantile_us(reference_laps_ns, 0.99),
        reference_lap_us_max=_quantile_us(reference_laps_ns, 1.0),
    )


def _both(scenario: Scenario[L], load: L, turn: int) -> tuple[Run, Run]:
    """One repetition of the reference and of ours; who goes first changes with each turn.

    One of several `pieces` is done piece by piece, in turn too: what a neighbour does for a second
    meets both sides then.
    """
    reference: list[Run] = []
    ours: list[Run] = []
    for piece in range(getattr(scenario, "pieces", 1)):
        sides = [(scenario.reference, reference), (scenario.ours, ours)]
        for run, runs in reversed(sides) if (turn + piece) % 2 else sides:
            runs.append(run(load))
    return _whole(reference), _whole(ours)


def _whole(pieces: list[Run]) -> Run:
    if len(pieces) == 1:
        return pieces[0]
    return Run(
        sum(piece.seconds for piece in pieces),
        [piece.outcome for piece in pieces],
        [lap_ns for piece in pieces for lap_ns in piece.laps_ns],
    )


def quantile(sorted_ns: list[int], share: float) -> int:
    """The lap that `share` of all do not exceed; 0 where there are none."""
    if not sorted_ns:
        return 0
    return sorted_ns[min(len(sorted_ns) - 1, int(len(sorted_ns) * share))]


def _quantile_us(sorted_ns: list[int], share: float) -> float:
    return round(quantile(sorted_ns, share) / 1e3, 1)


def rss_bytes_max() -> int:
    """Tell the most memory this process has held so far; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
