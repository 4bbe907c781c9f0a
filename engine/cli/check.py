"""`hairspring check`: every fault of a shop, and nothing is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from engine.cli.running import data_or_shops_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from config import Fault, Shop

EPILOG = """\b
Example:
  hairspring check my-shop
  hairspring check my-shop --json | jq '.faults[].path'

Exit code 0: it can be loaded (there may be warnings); 1: it cannot.
"""


@click.command(name="check", epilog=EPILOG)
@click.argument("shop", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_or_shops_option
@click.option("--json", "as_json", is_flag=True, help="Print faults and warnings as JSON.")
def command(*, shop: Path, data: Path | None, as_json: bool) -> None:
    """Tell every fault of SHOP, as file:line: what is wrong; what would be right.

    Settings, campaigns and templates are all read, and environment variables that settings name
    are looked up; nothing is started. Where a campaign with `backfill` is to go live, it is told
    how many of those whom the data folder knows it would bring in.
    """
    from config import ShopInvalid, load_folder
    from engine.cli.loading import print_as_json

    loaded: Shop | None = None
    faults: Sequence[Fault] = ()
    try:
        loaded = load_folder(shop)
        warnings = loaded.warnings
    except ShopInvalid as invalid:
        faults, warnings = invalid.faults, invalid.warnings
    coming = [] if loaded is None else list(_backfills(loaded, data or shop / "data"))
    if as_json:
        print_as_json(loaded, faults, warnings, {one.campaign: one.users for one in coming})
    else:
        _print(loaded, faults, warnings)
        for one in coming:
            click.echo(one.line)
    if faults:
        sys.exit(1)


class _Backfill(NamedTuple):
    """Whom a campaign brings in as it goes live; None: nobody can tell."""

    campaign: str
    users: int | None
    why: str = ""

    @property
    def line(self) -> str:
        if self.users is None:
            return f"{self.campaign}: how many come in by its backfill is not known: {self.why}"
        return f"{self.campaign}: {self.users:,} come in at once as it goes live (backfill)"


def _backfills(shop: Shop, data: Path) -> Iterator[_Backfill]:
    """Of each campaign with a backfill that is not live yet in a data folder."""
    from engine.cli.diff import compare
    from engine.errors import HairspringError

    campaigns = shop.plan.campaigns.values()
    backfilled = [one.id for one in campaigns if one.entry.backfill and one.status == "live"]
    database = shop.settings.storage.file
    if not backfilled or not (data / database).exists():
        return  # who is not known comes in by nothing that was true before
    try:
        differs = compare(shop, data, database)
    except HairspringError as error:
        yield from (_Backfill(one, None, error.message) for one in backfilled)
        return
    for told in differs.campaigns:
        if told.campaign in backfilled and told.status[0] != "live":
            yield _Backfill(told.campaign, told.entered)


def _print(loaded: Shop | None, faults: Sequence[Fault], warnings: Sequence[Fault]) -> None:
    from rich.text import Text

    from engine.cli.terminal import plain_console
    from engine.core.holding import STATUSES

    console = plain_console()
    for fault in faults:
        _print_one(console, fault, "", "red")
    for warning in warnings:
        _print_one(console, warning, "warning: ", "yellow")
    told = f"{_counted(len(faults), 'fault')}, {_counted(len(warnings), 'warning')}"
    if loaded is not None:
        read = (
            f"{_counted(len(loaded.plan.campaigns), 'campaign')}, "
            f"{_counted(len(loaded.templates), 'template')}"
        )
        console.print(Text(f"{read}: {told}", style="green"))
        for status, meaning in STATUSES.items():
            ids = [one.id for one in loaded.plan.campaigns.values() if one.status == status]
            if ids:
                console.print(Text(f"{status}: {', '.join(ids)} ({meaning})"))
    else:
        console.print(Text(f"{told}: this shop is not loaded", style="red"))


def _print_one(console: Console, fault: Fault, label: str, style: str) -> None:
    from rich.text import Text

    place = Text(f"{fault.path}:{fault.line}: ", style="bold")
    hint = f"; {fault.hint}" if fault.hint else ""
    console.print(Text.assemble(place, (label, style), fault.message, (hint, "dim")))


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
