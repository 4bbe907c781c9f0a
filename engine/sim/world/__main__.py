"""`python -m engine.sim.world`: many seeds, or one scenario again."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from typing import TYPE_CHECKING, Final

import click
import msgspec

from engine.runtime.clock import monotonic_ns
from engine.sim.world.scenario import FAULTS, Scenario, draw
from engine.sim.world.shrinking import shrink
from engine.sim.world.world import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SHRUNK_MAX: Final = 3
"""For how many failures a smallest scenario is looked for: it takes some hundred worlds each."""

TOGETHER: Final = 25
"""Seeds that a process of its own is given at once."""

TOLD_EVERY_NS: Final = 10_000_000_000
"""How often a log file is told how far it has come."""


class Tally:
    """What many worlds came to."""

    def __init__(self) -> None:
        self.worlds = self.turns = self.lives = self.inputs = self.messages = 0
        self.faults: Counter[str] = Counter()
        self.states: set[int] = set()
        self.failed: list[Outcome] = []

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count some more."""
        for outcome in outcomes:
            self.worlds += 1
            self.turns += outcome.turns
            self.lives += outcome.lives
            self.inputs += outcome.inputs
            self.messages += outcome.messages
            self.faults.update(outcome.faults)
            self.states |= outcome.states
            if outcome.promise:
                self.failed.append(outcome)

    def lines(self) -> list[str]:
        """For a person."""
        reached = [f"  {kind:18}{self.faults[kind]:>10}  {what}" for kind, what in FAULTS.items()]
        told = (
            f"{self.worlds} worlds, {self.lives} lives, {self.turns} turns, {self.inputs} inputs, "
            f"{self.messages} messages taken; {len(self.states)} distinct states, "
            f"{len(self.failed)} broken promises"
        )
        return [told, *reached]


class Progress:
    """Says how far it has come: in place on a terminal, else in a line each `TOLD_EVERY_NS`."""

    def __init__(self, seeds: int, now_ns: Callable[[], int] = monotonic_ns) -> None:
        self._seeds = seeds
        self._now_ns = now_ns
        self._next_ns = now_ns()

    def tell(self, tally: Tally) -> None:
        """Some more worlds are through."""
        told = (
            f"{tally.worlds}/{self._seeds} worlds, {len(tally.states)} distinct states, "
            f"{len(tally.failed)} broken promises"
        )
        if sys.stderr.isatty():
            click.echo(f"\r{told}", nl=tally.worlds >= self._seeds, err=True)
        elif self._now_ns() >= self._next_ns:
            self._next_ns = self._now_ns() + TOLD_EVERY_NS
            click.echo(told, err=True)


def run_seeds(seeds: range) -> list[Outcome]:
    """The worlds of some seeds, one after the other."""
    return [run(draw(seed)) for seed in seeds]


def tell(failed: Outcome) -> str:
    """A broken promise, and the commands that show it again."""
    smallest = shrink(failed)
    scenario = msgspec.json.encode(smallest.scenario).decode()
    return (
        f"seed {failed.scenario.seed}\n"
        f"  again:    python -m engine.sim.world --seed {failed.scenario.seed}\n"
        f"  smallest: python -m engine.sim.world --scenario '{scenario}'\n"
        f"  there:    {smallest.seen}"
    )


@click.command()
@click.option("--seeds", default=0, help="How many seeds to run.")
@click.option("--first", default=0, help="The first of them.")
@click.option("--jobs", default=0, help="Processes; 0: one for each core.")
@click.option("--seed", type=int, help="Run this one.")
@click.option("--scenario", default="", help="Run this one, as JSON.")
def main(seeds: int, first: int, jobs: int, seed: int | None, scenario: str) -> None:
    """Run simulated worlds; exit code 1 where a promise was broken."""
    if seed is not None or scenario:
        made = msgspec.json.decode(scenario, type=Scenario) if scenario else draw(seed or 0)
        outcome = run(made)
        outcome.states = set()
        click.echo(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
        sys.exit(bool(outcome.promise))
    tally, progress = Tally(), Progress(seeds)
    chunks = [
        range(at, min(at + TOGETHER, first + seeds)) for at in range(first, first + seeds, TOGETHER)
    ]
    with ProcessPoolExecutor(jobs or cpu_count()) as pool:
        for outcomes in pool.map(run_seeds, chunks):
            tally.add(outcomes)
            for one in outcomes:
                if one.promise:  # whoever looks on need not wait for the others
                    click.echo(f"seed {one.scenario.seed} breaks a promise; {one.seen}")
            progress.tell(tally)
    click.echo("\n".join(tally.lines()))
    for failed in tally.failed[:SHRUNK_MAX]:
        click.echo(tell(failed))
    sys.exit(bool(tally.failed))


if __name__ == "__main__":
    main()
