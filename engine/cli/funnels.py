"""Where users got to, step by step, and what another shop would change, at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.summary import NOTHING, counts_told, laid_out, many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.sim.comparing import Compared
    from engine.sim.funnel import StepCounts
    from engine.sim.run import Report

STEP_COLUMNS = ("reached", "sent", "skipped", "deferred", "branched", "exited", "waiting")
CHANGE_COLUMNS = (
    *("campaign", "channel", "here", "there"),
    *("users more", "users less", "other time", "other template"),
)


def print_funnels(report: Report, *, err: bool) -> None:
    """Print, for each campaign that somebody was in, what came of each step."""
    for summary in report.campaigns:
        if any(counts.reached for counts in summary.steps):
            columns = (f"step of {summary.campaign}", *STEP_COLUMNS)
            click.echo(err=err)
            _print_table(columns, [_row(counts) for counts in summary.steps], err=err)


def print_compared(compared: Compared, *, err: bool) -> None:
    """Print what the other shop would change."""
    click.echo(err=err)
    otherwise = any(one.other_time or one.other_template for one in compared.changes)
    if compared.users:
        told = f"the other shop would send something else to {many(compared.users, 'user')}:"
    elif otherwise:
        told = "the other shop would send everybody as many messages, and not as here:"
    else:
        told = "the other shop would send everybody the same messages"
    click.echo(told, err=err)
    if not (compared.users or otherwise or compared.entered):
        return
    rows = [
        (
            one.campaign,
            one.channel,
            f"{one.before:,}",
            f"{one.after:,}",
            _count(one.users_more),
            _count(one.users_less),
            _count(one.other_time),
            _count(one.other_template),
        )
        for one in compared.changes
    ]
    _print_table(CHANGE_COLUMNS, rows, err=err)
    for campaign, (before, after) in compared.entered.items():
        click.echo(f"{campaign}: {before:,} entered here, {after:,} there", err=err)
    for user in compared.sample:
        said = "  ".join(f"{what} {ahead:+,}" for what, ahead in user.messages.items())
        name = user.user_id if user.user_id.isprintable() else ascii(user.user_id)
        click.echo(f"  {name}: {said}", err=err)
    if compared.users > len(compared.sample):
        click.echo(f"  and {many(compared.users - len(compared.sample), 'user')} more", err=err)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, err: bool) -> None:
    from engine.cli.terminal import plain_console

    console = plain_console(err=err)
    for line in laid_out(columns, rows, console.width if console.is_terminal else None):
        click.secho(line, bold=line.startswith(columns[0]), err=err)


def _row(counts: StepCounts) -> tuple[str, ...]:
    return (
        counts.step,
        f"{counts.reached:,}",
        counts_told(counts.sent),
        counts_told(counts.skipped),
        _count(counts.deferred),
        counts_told(counts.branched),
        counts_told(counts.exited),
        _count(counts.waiting),
    )


def _count(count: int) -> str:
    return f"{count:,}" if count else NOTHING
