"""The summary of a run at the terminal: a row a campaign, and no id of it ever cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.sim.replaying import Comparison
    from engine.sim.run import Report
    from engine.sim.summary import CampaignSummary

COLUMNS = ("campaign", "entered", "sent", "skipped", "finished", "exited", "refused")

NOTHING = "-"
"""The cell of what there was none of."""

NAME_SHOWN_MAX = 60
"""Characters of an event's name."""

_GAP = "   "


def print_summary(report: Report, *, err: bool) -> None:
    """Print what came of a run.

    Args:
        report: What came of it.
        err: To standard error, since records go to standard output.
    """
    from engine.cli.terminal import plain_console

    for bad in report.bad_lines_shown:
        click.secho(bad, fg="yellow", err=True)
    if report.bad_lines > len(report.bad_lines_shown):
        more = report.bad_lines - len(report.bad_lines_shown)
        click.secho(f"and {many(more, 'bad line')} more", fg="yellow", err=True)
    console = plain_console(err=err)
    click.echo(_head(report), err=err)
    rows = [_row(summary) for summary in report.campaigns]
    for line in laid_out(COLUMNS, rows, console.width if console.is_terminal else None):
        click.secho(line, bold=line.startswith(f"{COLUMNS[0]} "), err=err)
    for reason, count in report.quarantined.items():
        click.secho(f"{many(count, 'input')} not taken: {reason}", fg="yellow", err=True)
    for note in _notes(report):
        click.echo(note, err=err)


def laid_out(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """A table as lines: aligned where that fits, else a block a row, and never cut.

    Columns in which no row has anything go first; the first column is the row's name.

    Args:
        columns: Their names.
        rows: Their cells.
        width: Characters in a line; None: no limit.
    """
    lines = _aligned([columns, *rows])
    if width is None or _fits(lines, width):
        return lines
    told = [
        place
        for place in range(len(columns))
        if any(row[place] not in {NOTHING, "0"} for row in rows)
    ]
    lines = _aligned([[row[place] for place in told] for row in (columns, *rows)])
    if told and _fits(lines, width):
        return lines
    return [line for row in rows for line in _block(columns, row, width)]


def _fits(lines: Sequence[str], width: int) -> bool:
    return max(map(len, lines)) <= width


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _block(columns: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """A row as its name and a line a cell; several counts go on to further lines."""
    if all(cell in {NOTHING, "0"} for cell in row[1:]):
        yield f"{row[0]}: nothing"
        return
    yield row[0]
    indent = max(map(len, columns[1:])) + 2 * 2
    for column, cell in zip(columns[1:], row[1:], strict=True):
        if cell in {NOTHING, "0"}:
            continue
        label = f"  {column}"
        line = ""
        for count in cell.split("  "):
            if line and indent + len(f"{line}  {count}") > width:
                yield f"{label:<{indent}}{line}"
                label, line = "", count
            else:
                line = f"{line}  {count}" if line else count
        yield f"{label:<{indent}}{line}"


def _row(summary: CampaignSummary) -> tuple[str, ...]:
    sent = counts_told(summary.sent)
    if summary.failed:
        sent += f" (failed: {counts_told(summary.failed)})"
    return (
        summary.campaign,
        f"{summary.entered:,}",
        sent,
        counts_told(summary.skipped),
        f"{summary.finished:,}",
        counts_told(summary.exited),
        counts_told(summary.refused),
    )


def counts_told(counts: Mapping[str, int]) -> str:
    """`push 1,200 email 30`, the most first; `-` for none."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return "  ".join(f"{key} {count:,}" for key, count in ranked if count) or NOTHING


def _head(report: Report) -> str:
    # Of a live run all is told that it took in: outcomes, plans and the clock's turns among it.
    what = "event" if report.replayed is None else "input"
    told = f"{many(report.events, what)} of {many(report.users, 'user')}"
    if report.events:
        told += f", {report.first_at} to {report.last_at}"
    parts = [
        (report.duplicates, "duplicate"),
        (report.after_until, "later event"),
        (report.bad_lines, "bad line"),
    ]
    left_out = ", ".join(many(count, what) for count, what in parts if count)
    return f"{told}; left out: {left_out}" if left_out else told


def _compared(compared: Comparison) -> Iterator[str]:
    """How a journal that was run again compares with the live run."""
    told = f"{compared.records:,} records and {compared.states:,} users' states"
    by = f"version {compared.engine}" + (f", tzdata {compared.tzdata}" if compared.tzdata else "")
    if not compared.different:
        yield f"run again as it was ({by}): {told} are the same, byte for byte"
        return
    yield f"run again as it was ({by}): of {told}, those of {compared.different:,} users differ:"
    yield from (f"  {shown}" for shown in compared.shown)


def _tried(report: Report) -> Iterator[str]:
    """What each campaign's goal came to, and what each variant did for it."""
    for summary in report.campaigns:
        name, all_of_it = summary.campaign, (summary.goals, summary.entered, summary.goal_value)
        if summary.goals:
            yield f"{name}: {_reached(*all_of_it)}"
        held_out = {} if summary.held_out is None else {"held out": summary.held_out}
        for variant, tried in (*sorted(summary.variants.items()), *held_out.items()):
            yield f"{name}, {variant}: {_reached(tried.goals, tried.exposed, tried.goal_value)}"


def _reached(goals: int, of: int, value: float) -> str:
    share = f" ({goals / of:.1%})" if of else ""
    worth = f", worth {value:,.2f}" if value else ""
    return f"{many(goals, 'goal')} of {of:,}{share}{worth}"


def _notes(report: Report) -> Iterator[str]:
    if report.replayed is not None:
        yield from _compared(report.replayed)
    yield from _tried(report)
    deferred = {summary.campaign: summary.deferred for summary in report.campaigns}
    if any(deferred.values()):
        yield f"deferred to the end of quiet hours: {counts_told(deferred)}"
    unreachable = sum(summary.skipped.get("unreachable", 0) for summary in report.campaigns)
    if unreachable:
        yield (
            f"not sent, since the user had no address on any channel of the step: "
            f"{many(unreachable, 'message')} (identify calls bring email, phone and push; "
            "in_app needs none)"
        )
    unspoken = sum(summary.skipped_unspoken for summary in report.campaigns)
    if unspoken:
        share = unspoken / sum(summary.messages for summary in report.campaigns)
        yield (
            f"not sent, since the user never said yes or no to the channel: "
            f"{many(unspoken, 'message')}, {share:.1%} "
            '([consent] unknown = "deny")'
        )
    for campaign, events in report.never_came.items():
        told = "no event here is called" if len(events) == 1 else "no event here is one of"
        yield f"{campaign}: {told} {', '.join(events)}"
    if report.names:
        yield f"the most frequent events here: {', '.join(map(_shown, report.names))}"
    for campaign, count in report.condition_errors.items():
        yield (
            f"{campaign}: a condition ended in an error {many(count, 'time')}, and was not true "
            "then (a property was not there, say)"
        )
    for template, count in report.undefined.items():
        yield f"{template}: {many(count, 'name')} that the user lacked, rendered as nothing"
    for fault, count in report.render_faults.items():
        yield f"{fault}: {many(count, 'message')} failed"


def _shown(name: str) -> str:
    """What others wrote, short and without what would steer a terminal."""
    name = name if name.isprintable() else ascii(name)
    return name if len(name) <= NAME_SHOWN_MAX else f"{name[: NAME_SHOWN_MAX - 1]}…"


def many(count: int, what: str) -> str:
    """`1 user`, `1,200 users`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
