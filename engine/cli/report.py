"""`hairspring report`: how a campaign does, at the terminal, as JSON, or as a page in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from engine.store import Store

EPILOG = """\b
Examples:
  hairspring report cart-abandonment --data my-shop/data
  hairspring report cart-abandonment --html report.html --data my-shop/data
"""

HOURS = 7 * 24
"""Of the trend."""


@click.command(name="report", epilog=EPILOG)
@click.argument("campaign", metavar="CAMPAIGN")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as one HTML file, which asks for nothing from elsewhere.",
)
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(*, campaign: str, page: Path | None, data: Path, database: str, as_json: bool) -> None:
    """Tell how a campaign does: its steps, channels, experiments, and what it brings.

    Through the running process where there is one; else from the data folder, as of the last
    instant that it knows of.
    """
    import msgspec

    from engine.cli.report_page import page_of
    from engine.cli.report_table import lines_of
    from engine.cli.running import Running, reach
    from engine.cli.users import at_rest

    place = reach(data)
    if isinstance(place, Running):
        asked = {"hours": str(HOURS)}
        told = msgspec.json.decode(place.ask("GET", "api", "campaigns", campaign, query=asked))
    else:
        told = at_rest(place, database, lambda store: _told(store, campaign))
    if page is not None:
        _write(page, page_of(told))
    if as_json:
        click.echo(msgspec.json.encode(told))
    elif page is None:
        for line in lines_of(told):
            click.echo(line)
    else:
        click.echo(f"written to {page}", err=True)


async def _told(store: Store, campaign: str) -> Any:  # noqa: ANN401 - as JSON has it
    import msgspec

    from config.faults import nearest
    from engine.errors import HairspringError
    from engine.runtime.admin.overview import resting

    performance = await resting(store)
    told = performance.campaign(campaign, HOURS)
    if told is None:
        raise HairspringError(
            f"there is no campaign {campaign!r} in the shop",
            hint=nearest(campaign, performance.ids) or "it has none at all",
            code="campaign.unknown",
        )
    return msgspec.json.decode(msgspec.json.encode(told))


def _write(path: Path, page: str) -> None:
    from engine.errors import HairspringError

    try:
        path.write_text(page)
    except OSError as error:
        raise HairspringError(
            f"{path} cannot be written: {error.strerror}", hint="name another file with --html"
        ) from error
