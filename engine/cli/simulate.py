"""`hairspring simulate`: a shop over recorded events, in virtual time."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.recorded import columns_option, events_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

    from engine.sim.comparing import Compared
    from engine.sim.run import Report
    from engine.sim.sources import Source

EPILOG = """\b
Examples:
  hairspring simulate my-shop --events events.ndjson.gz --out records.ndjson
  hairspring simulate my-shop --events shop.csv --map event=action,timestamp=at
  zcat shop.csv.gz | hairspring simulate my-shop --events - --map user_id=customer
  hairspring simulate my-shop --events events.ndjson --compare my-changed-shop
  zcat may.ndjson.gz | hairspring simulate my-shop --events - --fail push=0.1

Lines that are no event are counted and told, and the run goes on. Exit code 0: it ran; 1: the shop
does not check, the file cannot be read or holds no event, or a live run came out differently; 2:
wrong usage.
"""

_PROGRESS_AFTER_NS = 2_000_000_000
_OUT_BUFFER_BYTES = 1 << 20


def _until(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    from engine.core.instants import parse_instant_ms

    if value is None:
        return None
    try:
        return parse_instant_ms(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _failing(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    from channels.base import CHANNEL_IDS

    failing = {}
    for value in values:
        channel, _, share = value.partition("=")
        if channel not in CHANNEL_IDS:
            known = ", ".join(CHANNEL_IDS)
            raise click.BadParameter(f"{channel!r} is no channel; there are {known}")
        if channel in failing:
            raise click.BadParameter(f"{channel!r} is there twice; give it one share")
        try:
            failing[channel] = float(share)
        except ValueError:
            failing[channel] = -1.0
        if not 0.0 <= failing[channel] <= 1.0:
            raise click.BadParameter(f"{value!r}: give a share from 0 to 1, as {channel}=0.1")
    return failing


@click.command(name="simulate", epilog=EPILOG)
@click.argument("shop", type=click.Path(exists=True, file_okay=False, path_type=Path))
@events_option
@click.option(
    "--until",
    callback=_until,
    metavar="INSTANT",
    help="The last instant, inclusive: ISO 8601 or milliseconds.  "
    "[default: until no deadline is left, at most 90 days past the last event]",
)
@click.option("--out", metavar="FILE", help="Write records as JSON lines; - is standard output.")
@click.option(
    "--fail",
    callback=_failing,
    multiple=True,
    metavar="CHANNEL=SHARE",
    help="This share of a channel's deliveries fails, as push=0.1.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 64) - 1),
    default=0,
    show_default=True,
    help="Of the failures: another seed, other failures.",
)
@columns_option
@click.option("--render", is_flag=True, help="Render each message, and put it into `sent` records.")
@click.option(
    "--compare",
    "other",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="OTHER_SHOP",
    help="Run this shop beside it, and tell who would be sent what more or less by it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    *,
    shop: Path,
    events: str,
    until: int | None,
    out: str | None,
    fail: dict[str, float],
    seed: int,
    columns: dict[str, str],
    render: bool,
    other: Path | None,
    as_json: bool,
) -> None:
    """Run SHOP over recorded events in virtual time: what would have been sent, and when.

    Nothing leaves the process. Each event is taken at the instant at which it was received, every
    deadline fires at its own; the same file gives the same records, byte for byte.

    A journal that `export-journal` wrote is run again as it was, and compared with the live run,
    where SHOP is the one that it ended with; under a changed SHOP its events are run anew.
    """
    from engine.cli.loading import load
    from engine.sim.comparing import compare_shops
    from engine.sim.run import Options, run_shop
    from engine.sim.sources import STDIN, open_events

    options = Options(until_ms=until, columns=columns, failing=fail, seed=seed, render=render)
    _refuse_overwriting(events, out)
    loaded = load(shop, as_json=as_json)
    for warning in loaded.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    label = "stdin" if events == STDIN else Path(events).name
    coming = load(other, as_json=as_json) if other is not None else None
    compared: Compared | None = None
    with ExitStack() as stack:
        source = stack.enter_context(open_events(events))
        told = stack.enter_context(_progress(source))
        write = stack.enter_context(_written(out))
        shared: dict[str, Any] = {"options": options, "write": write, "label": label}
        if coming is None:
            report = run_shop(loaded, source, on_progress=told, **shared)
        else:
            report, compared = compare_shops(loaded, coming, source, on_progress=told, **shared)
    _tell(report, compared, as_json=as_json, err=out == STDIN)
    if report.replayed is not None and report.replayed.different:
        sys.exit(1)


def _tell(report: Report, compared: Compared | None, *, as_json: bool, err: bool) -> None:
    """Print what came of it; to standard error where records go to standard output."""
    if as_json:
        import msgspec

        told = msgspec.to_builtins(report)
        if compared is not None:
            told["compared"] = compared
        click.echo(msgspec.json.encode(told).decode(), err=err)
        return
    from engine.cli.funnels import print_compared, print_funnels
    from engine.cli.summary import print_summary

    print_summary(report, err=err)
    print_funnels(report, err=err)
    if compared is not None:
        print_compared(compared, err=err)


def _refuse_overwriting(events: str, out: str | None) -> None:
    if out in {None, "-"} or events == "-":
        return
    written, read = Path(str(out)), Path(events)
    if written.exists() and read.exists() and written.samefile(read):
        raise click.UsageError("--out is the file of events itself; give it another name")


@contextmanager
def _written(out: str | None) -> Iterator[Callable[[bytes], object] | None]:
    """Where records are written to; None where they are not asked for."""
    from engine.errors import HairspringError

    if out is None:
        yield None
        return
    called = "standard output" if out == "-" else out
    if out == "-" and sys.stdout is None:  # the shell's `>&-`
        raise HairspringError("standard output is closed", hint="give --out a file")
    try:
        if out != "-":
            with Path(out).open("wb", buffering=_OUT_BUFFER_BYTES) as file:
                yield file.write
        else:
            yield sys.stdout.buffer.write
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        raise HairspringError(
            f"{called} cannot be written: {error.strerror}",
            hint="give a file that can be written, or do without --out",
        ) from error


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[int], None] | None]:
    """Tells how far a long run has come, to a terminal alone."""
    from engine.runtime.clock import monotonic_ns

    if not sys.stderr.isatty():
        yield None
        return
    started_ns = monotonic_ns()
    with ExitStack() as stack:
        bar: tuple[Progress, TaskID] | None = None

        def on_progress(applied: int) -> None:
            nonlocal bar
            if bar is None:
                if monotonic_ns() - started_ns < _PROGRESS_AFTER_NS:
                    return
                bar = _bar(stack, source)
            shown, task = bar
            if applied:
                shown.update(task, description=f"{applied:,} events", completed=None, total=None)
            else:
                shown.update(task, completed=source.position_bytes())

        yield on_progress


def _bar(stack: ExitStack, source: Source) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import Progress

    progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    return progress, progress.add_task("reading", total=source.size_bytes)
