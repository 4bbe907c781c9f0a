"""`hairspring test`: a shop's own tests, in virtual time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from config import Shop, ShopTest
    from engine.sim.testing import Outcome

EPILOG = """\b
Examples:
  hairspring test my-shop
  hairspring test my-shop --only "cart" --json
  hairspring test my-shop --junit report.xml

Exit code 0: all passed; 1: a test failed, or the shop or a file of tests does not check; 2: wrong
usage.
"""

Ran: TypeAlias = "tuple[ShopTest, Outcome, int]"
"""A test, what came of it, and how long it took in nanoseconds."""


@click.command(name="test", epilog=EPILOG)
@click.argument("shop", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-k",
    "--only",
    multiple=True,
    metavar="NAME",
    help="Those alone whose name or file has this in it; capitals do not matter.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write what came of them as JUnit XML, for CI.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of them as JSON.")
def command(*, shop: Path, only: tuple[str, ...], junit: Path | None, as_json: bool) -> None:
    """Run the tests in SHOP/tests/*.yaml in virtual time.

    Each gives users and what they do, and says what is to come of it and when. Nothing leaves the
    process; every message is rendered, and one that names what its user lacks is a failure.
    """
    from config import read_tests, read_tests_folder
    from engine.cli.loading import load, telling_faults

    loaded = load(shop, as_json=as_json)
    with telling_faults(as_json=as_json):
        tests = read_tests(read_tests_folder(shop), loaded)
    ran = list(_run(loaded, _chosen(tests, only, shop)))
    if junit is not None:
        _write(junit, ran)
    if as_json:
        _print_json(ran)
    else:
        from engine.cli.comparison import print_outcomes

        print_outcomes(ran)
    if not all(outcome.passed for _, outcome, _ in ran):
        sys.exit(1)


def _chosen(tests: Sequence[ShopTest], only: Sequence[str], shop: Path) -> list[ShopTest]:
    from config.faults import nearest
    from engine.errors import HairspringError

    if not tests:
        hint = f"write one: {shop / 'tests' / 'first.yaml'} (docs/how-to/test-your-shop.md)"
        raise HairspringError(f"{shop} has no tests", hint=hint)
    for name in only:
        if not any(_is_named(test, name) for test in tests):
            told = f"no test is called {name!r}; {nearest(name, [test.name for test in tests])}"
            raise click.UsageError(told)
    return [test for test in tests if not only or any(_is_named(test, name) for name in only)]


def _is_named(test: ShopTest, name: str) -> bool:
    return name.lower() in f"{test.path}: {test.name}".lower()


def _run(shop: Shop, tests: Sequence[ShopTest]) -> Iterator[Ran]:
    from engine.cli.terminal import progress_bar
    from engine.runtime.clock import monotonic_ns
    from engine.sim.testing import run_test

    with progress_bar("tests") as told:
        for done, test in enumerate(tests):
            told(done, len(tests))
            began_ns = monotonic_ns()
            outcome = run_test(shop, test)
            yield test, outcome, monotonic_ns() - began_ns


def _write(path: Path, ran: Sequence[Ran]) -> None:
    from engine.cli.junit import as_junit
    from engine.errors import HairspringError

    try:
        path.write_bytes(as_junit(ran))
    except OSError as error:
        told = f"{path} cannot be written: {error.strerror}"
        raise HairspringError(told, hint="name a file that can be written") from error


def _print_json(ran: Sequence[Ran]) -> None:
    import msgspec

    tests = [
        {
            "file": test.path,
            "line": test.line,
            "name": test.name,
            "passed": outcome.passed,
            "lines": [line for line in outcome.lines if line.mark],
            "faults": outcome.faults,
            "notes": outcome.notes,
        }
        for test, outcome, _ in ran
    ]
    failed = sum(not outcome.passed for _, outcome, _ in ran)
    told = {"passed": len(ran) - failed, "failed": failed, "tests": tests}
    click.echo(msgspec.json.encode(told).decode())
