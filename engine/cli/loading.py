"""The shop that a command is given, or its faults, in the form that the command was asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from config import Fault, Shop


def load(shop: Path, *, as_json: bool) -> Shop:
    """The shop in a folder; with `as_json` its faults are printed as `check --json` does.

    Raises ShopInvalid without.
    """
    from config import ShopInvalid, load_folder

    try:
        return load_folder(shop)
    except ShopInvalid as invalid:
        if not as_json:
            raise
        print_as_json(None, invalid.faults, invalid.warnings)
        sys.exit(1)


def print_as_json(loaded: Shop | None, faults: Sequence[Fault], warnings: Sequence[Fault]) -> None:
    """What reading a shop came to, as one JSON object."""
    import msgspec

    told = {
        "ok": loaded is not None,
        "plan_id": loaded.plan.id if loaded else None,
        "campaigns": list(loaded.plan.campaigns) if loaded else [],
        "statuses": {one.id: one.status for one in loaded.plan.campaigns.values()}
        if loaded
        else {},
        "faults": list(faults),
        "warnings": list(warnings),
    }
    click.echo(msgspec.json.encode(told).decode())
