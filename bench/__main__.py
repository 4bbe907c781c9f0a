"""`python -m bench`: run the scenarios, print a table, keep a line of history for each."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

import bench
from bench.harness import Disagreement, Result, Scenario, measure

HISTORY_PATH = Path(__file__).parent / "history.ndjson"
NOT_SCENARIOS = {"__main__", "harness"}


def scenarios() -> list[Scenario[Any]]:
    """Find the scenarios of every module of this folder that has a tuple `SCENARIOS`."""
    names = sorted(module.name for module in pkgutil.iter_modules(bench.__path__))
    found: list[Scenario[Any]] = []
    for name in names:
        if name not in NOT_SCENARIOS:
            module = importlib.import_module(f"bench.{name}")
            found += getattr(module, "SCENARIOS", ())
    return found


def commit() -> str:
    """Name the commit that is checked out, or `unknown` outside a checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        answer = subprocess.run(
            command, cwd=HISTORY_PATH.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def show(line: str) -> None:
    """Tell on stderr how far we are, so that stdout stays the result."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)


def table(results: list[Result]) -> str:
    """Lay the results out for people."""
    head = f"{'scenario':<22}{'n':>10}{'ratio':>8}{'limit':>7}{'speed':>8}"
    head += f"{'ours':>11}{'reference':>11}"
    lines = [f"{head}{'lap p50':>10}{'p99':>9}{'max':>10}{'ref p99':>10}{'RSS':>8}"]
    for result in results:
        mark = "" if result.is_within_limit else "  over the limit"
        laps = (
            result.lap_us_p50,
            result.lap_us_p99,
            result.lap_us_max,
            result.reference_lap_us_p99,
        )
        p50, p99, longest, bare = (f"{lap:.1f}" if lap else "-" for lap in laps)
        lines.append(
            f"{result.scenario:<22}{result.n:>10,}{result.ratio:>8.3f}{result.limit:>7}"
            f"{1 / result.ratio:>7.2f}x"
            f"{result.ours_us_each:>11.3f}{result.reference_us_each:>11.3f}"
            f"{p50:>10}{p99:>9}{longest:>10}{bare:>10}{result.rss_bytes_max >> 20:>6} M{mark}"
        )
    lines.append("speed: the reference's time over ours; ours and reference: us an item;")
    lines.append("laps: us, ours, and the reference's p99; RSS: the process's peak so far")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=bench.__doc__)
    parser.add_argument("--small", action="store_true", help="few items, no history")
    parser.add_argument("--only", metavar="NAME", action="append", help="this scenario alone")
    parser.add_argument("--json", action="store_true", help="one JSON line a scenario")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a limit is missed")
    return parser.parse_args()


def main() -> int:
    """Run what was asked for; 0 if all went well, 1 as README.md says, 2 for an unknown name."""
    options = arguments()
    known = scenarios()
    chosen = [scenario for scenario in known if not options.only or scenario.name in options.only]
    unknown = set(options.only or ()) - {scenario.name for scenario in known}
    if unknown:
        names = ", ".join(scenario.name for scenario in known)
        print(f"no scenario {', '.join(sorted(unknown))}; there are: {names}", file=sys.stderr)
        return 2
    at_commit = commit()
    results: list[Result] = []
    has_failed = False
    for scenario in chosen:
        n = scenario.n_small if options.small else scenario.n
        try:
            result = measure(scenario, n, at_commit, show)
        except Disagreement as found:
            print(found, file=sys.stderr)
            has_failed = True
            continue
        except Exception:  # noqa: BLE001 - one scenario that crashes must not hide the others
            traceback.print_exc()
            has_failed = True
            continue
        results.append(result)
        if not options.small:
            with HISTORY_PATH.open("ab") as history:
                history.write(msgspec.json.encode(result) + b"\n")
    if sys.stderr.isatty():
        show("")
    if options.json:
        print(msgspec.json.Encoder().encode_lines(results).decode(), end="")
    else:
        print(table(results))
    is_over = any(not result.is_within_limit for result in results)
    return 1 if has_failed or (options.strict and is_over) else 0


if __name__ == "__main__":
    sys.exit(main())
