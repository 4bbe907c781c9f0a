"""`hairspring quarantine`: what could not be taken, told or tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = """\b
Examples:
  hairspring quarantine list --data my-shop/data
  hairspring quarantine retry --all --data my-shop/data
"""

LISTED = 100


@click.group(name="quarantine", epilog=EPILOG)
def command() -> None:
    """Tell of items that could not be taken, or try them again after what was mended."""


@command.command(
    name="list", epilog="\b\nExample:\n  hairspring quarantine list --data my-shop/data"
)
@click.option("--source", help="Only those that came by it, as /v1/batch.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=LISTED, show_default=True)
@click.option("--after", type=click.IntRange(0), default=0, help="From behind this number on.")
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, with what was sent.")
def list_(
    *, source: str | None, limit: int, after: int, data: Path, database: str, as_json: bool
) -> None:
    """List items, oldest first: number, when, by what route, where the fault is, and what."""
    import msgspec

    from engine.cli.running import Running, reach
    from engine.cli.users import at_rest
    from engine.runtime.admin.quarantine import page

    place = reach(data)
    if isinstance(place, Running):
        query = {"limit": str(limit), "after": str(after)}
        if source is not None:
            query["source"] = source
        told: dict[str, Any] = msgspec.json.decode(
            place.ask("GET", "api", "quarantine", query=query)
        )
    else:
        told = at_rest(
            place, database, lambda store: page(store, source=source, limit=limit, after=after)
        )
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    for item in told["items"]:
        click.echo(
            f"{item['number']:>6}  {item['received_at']}  {item['source']}  "
            f"{item['path']}: {item['reason']}"
        )
    left = f"; more: --after {told['next']}" if told["next"] else ""
    click.echo(f"{len(told['items'])} of {told['total']} items{left}", err=True)


@command.command(epilog="\b\nExample:\n  hairspring quarantine retry 17 18 --data my-shop/data")
@click.argument("numbers", type=click.IntRange(1), nargs=-1)
@click.option("--source", help="All that came by it, as /v1/batch.")
@click.option("--all", "everything", is_flag=True, help="All there are, as where nothing is said.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def retry(
    *,
    numbers: tuple[int, ...],
    source: str | None,
    everything: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Try items again, through the running process: NUMBERS, those of a source, or all.

    What is taken goes from the quarantine, with the time at which it was received; what still
    cannot be stays, and is told with the reason.
    """
    import msgspec

    from engine.cli.retrying import have_retried
    from engine.server.admin.quarantine import Outcome

    if sum((bool(numbers), source is not None, everything)) > 1:
        raise click.UsageError("name items by number, or --source, or take --all")
    asked: dict[str, Any] = {"all": True}
    if numbers:
        asked = {"numbers": numbers}
    elif source is not None:
        asked = {"source": source}
    outcome = have_retried(data, "quarantine", asked, Outcome, why="items are tried again")
    if as_json:
        click.echo(msgspec.json.encode(outcome))
        return
    click.echo(f"{outcome.taken:,} of {outcome.asked:,} taken")
    for item in outcome.left:
        click.echo(f"{item.number:>6} stays: {item.path}: {item.reason}")
    if len(outcome.left) < outcome.asked - outcome.taken:
        click.echo("and others; see hairspring quarantine list")
