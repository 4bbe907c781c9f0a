"""How both sides of a scenario take turns."""

from __future__ import annotations

import pytest

from bench.harness import Disagreement, Run, measure


class Told:
    """A scenario that notes whose turn it is; each piece of ours takes twice as long.

    Args:
        wrong: Which of our pieces puts out something else.
    """

    name = "told"
    title = "notes"
    n = n_small = 10
    limit = 2.0

    def __init__(self, pieces: int, repetitions: int, wrong: int = -1) -> None:
        self.pieces = pieces
        self.repetitions = repetitions
        self.turns = ""
        self._wrong = wrong

    def prepare(self, n: int) -> int:
        return n

    def reference(self, load: int) -> Run:
        self.turns += "r"
        return Run(1.0, load, [1])

    def ours(self, load: int) -> Run:
        is_wrong = self.turns.count("o") == self._wrong
        self.turns += "o"
        return Run(2.0, load + is_wrong, [2])


def test_both_sides_of_a_repetition_take_turns_piece_by_piece() -> None:
    scenario = Told(pieces=3, repetitions=2)
    result = measure(scenario, 10, "", lambda _: None)
    assert scenario.turns == "roorro" + "orroor"
    assert result.ratios == [2.0, 2.0]
    assert (result.ours_us_each, result.reference_us_each) == (600_000.0, 300_000.0)


def test_one_piece_that_put_out_something_else_is_a_disagreement() -> None:
    with pytest.raises(Disagreement):
        measure(Told(pieces=3, repetitions=2, wrong=4), 10, "", lambda _: None)
