"""Every scenario is in the table of the page on benchmarks, with its limit, and no other is."""

from __future__ import annotations

import re
from pathlib import Path

from bench.__main__ import scenarios

PAGE = (Path(__file__).parents[2] / "bench/README.md").read_text()


def test_every_scenario_is_told_with_its_limit() -> None:
    table = PAGE.partition("## Scenarios")[2].partition("\n\n##")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines() if row.startswith("| `")]
    told = {cells[0].strip("`"): re.findall(r"\d+(?:\.\d+)?", cells[-1]) for cells in rows}
    limits = {one.name: one.limit for one in scenarios()}
    assert set(told) == set(limits)
    wrong = [name for name, limit in limits.items() if limit not in map(float, told[name])]
    assert wrong == []
