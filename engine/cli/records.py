"""`hairspring records`: what happened, record by record, for a spreadsheet or another program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from pathlib import Path

    from engine.runtime.admin.listing import Chosen, Form
    from engine.store import Store

EPILOG = """\b
Examples:
  hairspring records --campaign cart-abandonment --csv --data my-shop/data > records.csv
  hairspring records --kind sent --kind goal --data my-shop/data
"""


@click.command(name="records", epilog=EPILOG)
@click.option("--campaign", metavar="ID", help="Only those of a campaign.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only of this kind, or these.")
@click.option("--after", type=click.IntRange(0), default=0, help="From behind this id on.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV; else as JSON lines.")
@data_option
@database_option
def command(
    *,
    campaign: str | None,
    kinds: tuple[str, ...],
    after: int,
    as_csv: bool,
    data: Path,
    database: str,
) -> None:
    """Write what happened, oldest first, for as long as records are kept (`events.keep`).

    Through the running process where there is one; else from the data folder.
    """
    from typing import get_args

    from engine.cli.running import Running, reach
    from engine.cli.users import at_rest
    from engine.core.effects import Kind
    from engine.runtime.admin.listing import Chosen

    for kind in kinds:
        if kind not in get_args(Kind):
            known = ", ".join(get_args(Kind))
            raise click.BadParameter(f"{kind!r} is none of {known}", param_hint="'--kind'")
    chosen = Chosen(campaign, kinds, after)
    form: Form = "csv" if as_csv else "ndjson"
    place = reach(data)
    if isinstance(place, Running):
        query = [("after", str(after)), *[("kind", kind) for kind in kinds]]
        if campaign is not None:
            query.append(("campaign", campaign))
        for piece in place.stream("api", f"records.{form}", query=query):
            click.echo(piece, nl=False)
    else:
        at_rest(place, database, lambda store: _write(store, chosen, form))


async def _write(store: Store, chosen: Chosen, form: Form) -> None:
    from engine.runtime.admin.listing import listed

    async for piece in listed(store, chosen, form):
        click.echo(piece, nl=False)
