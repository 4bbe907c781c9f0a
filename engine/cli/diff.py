"""`hairspring diff`: what would come of a changed shop, before it is taken on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.running import data_or_shops_option, database_option

if TYPE_CHECKING:
    from config import Shop
    from engine.runtime.admin.diffing import ShopDiff
    from engine.store import Store

EPILOG = """\b
Examples:
  hairspring diff my-shop
  hairspring diff my-shop --data /var/lib/hairspring --json | jq '.campaigns[] | .exits'

Exit code 0: nothing keeps SHOP from being taken on; 1: it has faults, or cannot be compared.
"""


@click.command(name="diff", epilog=EPILOG)
@click.argument("shop", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_or_shops_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def command(*, shop: Path, data: Path | None, database: str, as_json: bool) -> None:
    """Tell what would come of SHOP as it is now, were it taken on: nothing is changed by it.

    Compared with the shop that the running process has; where none runs, with the last one that the
    data folder knows, as of the last instant there. Who waits where, whose deadline moves or step
    is gone, who would come in, and what would go at once, by the code that does it.
    """
    import msgspec

    from engine.cli.differences import lines_of
    from engine.cli.loading import load

    differs = compare(load(shop, as_json=as_json), data or shop / "data", database)
    if as_json:
        click.echo(msgspec.json.encode(differs).decode())
        return
    for line in lines_of(differs):
        click.echo(line)
    sys.stdout.flush()


def compare(shop: Shop, data: Path, database: str) -> ShopDiff:
    """A shop compared with what a data folder has. Raises StoreError, HairspringError."""
    from engine.cli.running import Running, reach
    from engine.cli.terminal import progress_bar
    from engine.cli.users import at_rest
    from engine.runtime.admin.diffing import ShopDiff

    place = reach(data)
    with progress_bar("users") as told:
        if isinstance(place, Running):
            return place.follow(
                "POST", "api", "diff", body=shop.content, form=ShopDiff, on_progress=told
            )
        differs: ShopDiff = at_rest(place, database, lambda store: _at_rest(store, shop))
        return differs


async def _at_rest(store: Store, shop: Shop) -> ShopDiff:
    from engine.runtime.admin.diffing import Diffing
    from engine.runtime.restart import bring_back

    events = shop.settings.events
    recovered = await store.recover(events.dedupe_window_ms, events.dedupe_max)
    processor, _ = bring_back(shop, recovered)
    return await Diffing(store, processor).diff(shop, lambda: processor.now_ms, [])
