"""`hairspring explain`: why a user came into a campaign, did not, or when he will."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.running import data_option, database_option, user_argument

if TYPE_CHECKING:
    from pathlib import Path

    from engine.store import Store

EPILOG = """\b
Examples:
  hairspring explain ada cart-abandonment --data my-shop/data
  hairspring explain ada cart-abandonment --at 2026-01-31T08:00:00Z --data my-shop/data
"""


@click.command(name="explain", epilog=EPILOG)
@user_argument("USER")
@click.argument("campaign", metavar="CAMPAIGN")
@click.option(
    "--at",
    metavar="INSTANT",
    help="As of then: ISO 8601, or milliseconds since 1970; as far back as events are kept.",
)
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def command(
    *, user_id: str, campaign: str, at: str | None, data: Path, database: str, as_json: bool
) -> None:
    """Tell why a user came into a campaign, did not, or when he will.

    Through the running process where there is one; else from the data folder, as of the last
    instant that it knows of.
    """
    import msgspec

    from engine.cli.explaining import lines_of
    from engine.cli.running import Running, reach
    from engine.cli.users import at_rest
    from engine.core.instants import format_instant
    from engine.runtime.admin.explaining import Explanation

    at_ms = None if at is None else _instant_ms(at)
    place = reach(data)
    if isinstance(place, Running):
        query = {"campaign": campaign}
        if at_ms is not None:
            query["at"] = format_instant(at_ms)
        document = place.ask("GET", "api", "users", user_id, "explain", query=query)
    else:
        document = at_rest(place, database, lambda store: _explain(store, user_id, campaign, at_ms))
    if as_json:
        click.echo(document.decode())
        return
    for line in lines_of(msgspec.json.decode(document, type=Explanation)):
        click.echo(line)


def _instant_ms(said: str) -> int:
    from engine.core.instants import parse_instant_ms

    try:
        return parse_instant_ms(said)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--at'") from error


async def _explain(store: Store, user_id: str, campaign: str, at_ms: int | None) -> bytes:
    import msgspec

    from engine.runtime.admin.explaining import Explaining
    from engine.store.past import last_stamp

    explaining = await Explaining.resting(store)
    now_ms = await store.read(last_stamp)
    told = await explaining.explain(user_id, campaign, now_ms=now_ms, at_ms=at_ms)
    return msgspec.json.encode(told)
