"""`hairspring deadletters`: what could not be delivered, told or tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = """\b
Examples:
  hairspring deadletters list --data my-shop/data
  hairspring deadletters retry --channel email --data my-shop/data
"""

LISTED = 100


@click.group(name="deadletters", epilog=EPILOG)
def command() -> None:
    """Tell of messages that failed for good, or have them delivered after all."""


@command.command(
    name="list", epilog="\b\nExample:\n  hairspring deadletters list --data my-shop/data"
)
@click.option("--campaign", metavar="ID", help="Only those of a campaign.")
@click.option("--channel", metavar="ID", help="Only those of a channel.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=LISTED, show_default=True)
@click.option("--after", type=click.IntRange(0), default=0, help="From behind this number on.")
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_(
    *,
    campaign: str | None,
    channel: str | None,
    limit: int,
    after: int,
    data: Path,
    database: str,
    as_json: bool,
) -> None:
    """List them, oldest first: id, when they failed, after how many attempts, and why."""
    import msgspec

    from engine.cli.running import Running, reach
    from engine.cli.users import at_rest
    from engine.runtime.delivery.letters import Chosen, page

    place = reach(data)
    if isinstance(place, Running):
        asked = {"limit": str(limit), "after": str(after), "campaign": campaign, "channel": channel}
        query = {name: value for name, value in asked.items() if value is not None}
        told: dict[str, Any] = msgspec.json.decode(
            place.ask("GET", "api", "deadletters", query=query)
        )
    else:
        chosen = Chosen(campaign=campaign, channel=channel)
        told = at_rest(place, database, lambda store: page(store, chosen, limit=limit, after=after))
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    for letter in told["deadletters"]:
        attempts = "1 attempt" if letter["attempts"] == 1 else f"{letter['attempts']} attempts"
        click.echo(
            f"{letter['id']}  {letter['failed_at']}  {letter['campaign']}  {letter['channel']}  "
            f"{attempts}  {letter['reason']}: {letter['said']}"
        )
    left = f"; more: --after {told['next']}" if told["next"] else ""
    click.echo(f"{len(told['deadletters'])} of {told['total']} dead letters{left}", err=True)


@command.command(
    epilog="\b\nExample:\n  hairspring deadletters retry --channel email --data my-shop/data"
)
@click.argument("ids", nargs=-1)
@click.option("--campaign", metavar="ID", help="Those of a campaign.")
@click.option("--channel", metavar="ID", help="Those of a channel.")
@click.option("--all", "everything", is_flag=True, help="All there are, as where nothing is said.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def retry(
    *,
    ids: tuple[str, ...],
    campaign: str | None,
    channel: str | None,
    everything: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Have them delivered after all, through the running process: IDS, those meant, or all.

    Each goes under the same key with the same bytes. What has expired, whose user has said no, or
    whose enrollment has ended meanwhile, stays, and is told with the reason.
    """
    import msgspec

    from engine.cli.retrying import have_retried
    from engine.runtime.delivery.letters import Chosen, Outcome

    everything = everything or not (ids or campaign or channel)
    chosen = Chosen(ids=ids or None, campaign=campaign, channel=channel, all=everything)
    if not chosen.is_clear:
        raise click.UsageError("name them by id, or by --campaign and --channel, or take --all")
    outcome = have_retried(data, "deadletters", chosen, Outcome, why="dead letters are retried")
    if as_json:
        click.echo(msgspec.json.encode(outcome))
        return
    click.echo(f"{outcome.retried:,} of {outcome.asked:,} on their way again")
    for letter in outcome.left:
        click.echo(f"{letter.id} stays: {letter.reason}")
    if len(outcome.left) < outcome.asked - outcome.retried:
        click.echo("and others; see hairspring deadletters list")
