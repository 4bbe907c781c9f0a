"""`hairspring check`: every fault of a shop, and nothing is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

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
@click.option("--json", "as_json", is_flag=True, help="Print faults and warnings as JSON.")
def command(*, shop: Path, as_json: bool) -> None:
    """Tell every fault of SHOP, as file:line: what is wrong; what would be right.

    Settings, campaigns and templates are all read, and environment variables that settings name
    are looked up; nothing is started.
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
    if as_json:
        print_as_json(loaded, faults, warnings)
    else:
        _print(loaded, faults, warnings)
    if faults:
        sys.exit(1)


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
