"""`hairspring trigger`: a campaign started by hand, for users by name or for a whole segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.running import data_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.runtime.bulk import Bulked

EPILOG = """\b
Examples:
  hairspring trigger call-back --user ada --content '{"agent": "Grace"}' --data my-shop/data
  hairspring trigger win-back --segment sleeping --dry-run --data my-shop/data
  hairspring trigger win-back --segment sleeping --over 2h --data my-shop/data
"""


@click.command(name="trigger", epilog=EPILOG)
@click.argument("campaign")
@click.option("--user", "users", metavar="ID", multiple=True, help="Whom; may be said many times.")
@click.option("--segment", metavar="ID", help="Whoever is in this segment of segments.yaml.")
@click.option("--content", metavar="JSON", default="{}", help="An object: what it is started with.")
@click.option(
    "--per-second", type=float, metavar="N", help="Users who are started a second.  [default: 100]"
)
@click.option("--over", metavar="DURATION", help="Spread them over that long instead, as 30m.")
@click.option(
    "--run",
    metavar="NAME",
    help="Name it: said again under the same name, it passes over whom it has started.",
)
@click.option("--dry-run", is_flag=True, help="Only tell how many would come in, and why not all.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def command(
    *,
    campaign: str,
    users: tuple[str, ...],
    segment: str | None,
    content: str,
    per_second: float | None,
    over: str | None,
    run: str | None,
    dry_run: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Start CAMPAIGN by hand, through the running process.

    `enter.when` is not asked; all else is: status, audience, re-entry. For a segment it goes at a
    pace; where it breaks off it says how to go on.
    """
    import msgspec

    if bool(users) is bool(segment):
        raise click.UsageError("say whom: --user ID, or --segment ID")
    if per_second is not None and over is not None:
        raise click.UsageError("--per-second and --over say the same: leave one of them out")
    if segment and not run and not dry_run:
        run = _name_of_run()
    asked: dict[str, Any] = {
        "campaign": campaign,
        "user_ids": list(users),
        "segment": segment or "",
        "content": _object(content),
        "run": run or "",
        "over": over or "",
        "dry_run": dry_run,
    }
    if per_second is not None:
        asked["per_second"] = per_second
    bulked = _have_done(data, msgspec.json.encode(asked), run, dry_run=dry_run)
    if as_json:
        click.echo(msgspec.json.encode(bulked).decode())
    else:
        _tell(bulked, dry_run=dry_run)
    if users and not dry_run and not bulked.entered and not bulked.known:
        raise click.exceptions.Exit(1)


def _have_done(data: Path, body: bytes, run: str | None, *, dry_run: bool) -> Bulked:
    from engine.cli.running import Refused, reach_running
    from engine.cli.terminal import progress_bar
    from engine.runtime.bulk import Bulked
    from engine.runtime.inbox import Unavailable

    place = reach_running(data, "campaigns are started")
    with progress_bar("looking" if dry_run else "starting") as shown:
        come = _Come(shown)
        try:
            return place.follow(
                "POST", "api", "trigger", body=body, form=Bulked, on_progress=come.told
            )
        except Refused as error:
            stopped = error.code == Unavailable.code
            if run is None or dry_run or not (stopped or come.total):
                raise
            message = error.message
            if not stopped:
                message = f"broken off at {come.done:,} of {come.total:,}: {message}"
            hint = f"to go on with the others, say the same with --run {run}"
            raise Refused(message, hint=hint, code=error.code) from error


class _Come:
    """How far it has come, as the process told last."""

    def __init__(self, shown: Callable[[int, int], None]) -> None:
        self.done = self.total = 0
        self._shown = shown

    def told(self, done: int, total: int) -> None:
        if total > 1 or done:  # before it knows how many there are, it says 0 of 1
            self.done, self.total = done, total
        self._shown(done, total)


def _object(content: str) -> Any:  # noqa: ANN401 - imported late
    import msgspec

    try:
        msgspec.json.decode(content, type=dict)
    except (msgspec.MsgspecError, RecursionError) as error:
        told = f'{error}: write an object, as \'{{"code": "SAVE20"}}\''
        raise click.BadParameter(told, param_hint="'--content'") from error
    return msgspec.Raw(content.encode())


def _name_of_run() -> str:
    """A name that no other run has; said before anything is done, since that may be killed."""
    from engine.core.instants import format_instant
    from engine.runtime.clock import wall_ms

    run = format_instant(wall_ms())
    click.echo(f"run {run}: should it break off, say the same with --run {run}", err=True)
    return run


def _tell(bulked: Bulked, *, dry_run: bool) -> None:
    from engine.core.reports.verdicts import why

    if bulked.asked == len(bulked.started) == 1 and not dry_run:
        (one,) = bulked.started
        came = f"entered {bulked.campaign}: {one.enrollment}"
        if one.outcome == "refused":
            came = f"was refused: {why(one.reason)}"
        elif one.outcome == "known":
            came = "was started before in this run"
        click.echo(f"{one.user_id} {came}")
        return
    entered = "would enter" if dry_run else "entered"
    click.echo(f"{bulked.entered:,} of {bulked.asked:,} {entered} {bulked.campaign}")
    for reason, count in sorted(bulked.refused.items(), key=lambda one: -one[1]):
        refused = "would be refused" if dry_run else "refused"
        click.echo(f"{count:,} {refused}: {why(reason)}")
    if bulked.known:
        click.echo(f"{bulked.known:,} started before in this run")
    if bulked.left:
        click.echo(f"{bulked.left:,} had left the segment when their turn came")
