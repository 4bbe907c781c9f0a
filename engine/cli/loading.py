"""The shop that a command is given, or its faults, in the form that the command was asked for."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from config import Fault, Shop


def load(shop: Path, *, as_json: bool) -> Shop:
    """The shop in a folder; its faults are told as `telling_faults` says."""
    from config import load_folder

    with telling_faults(as_json=as_json):
        return load_folder(shop)


@contextmanager
def telling_faults(*, as_json: bool) -> Iterator[None]:
    """With `as_json`, faults of what is read within are printed as `check --json` does; exit 1.

    Raises ShopInvalid without.
    """
    from config import ShopInvalid

    try:
        yield
    except ShopInvalid as invalid:
        if not as_json:
            raise
        print_as_json(None, invalid.faults, invalid.warnings)
        sys.exit(1)


def print_as_json(
    loaded: Shop | None,
    faults: Sequence[Fault],
    warnings: Sequence[Fault],
    backfill: Mapping[str, int | None] | None = None,
) -> None:
    """What reading a shop came to, as one JSON object."""
    import msgspec

    told = {
        "ok": loaded is not None,
        "plan_id": loaded.plan.id if loaded else None,
        "campaigns": list(loaded.plan.campaigns) if loaded else [],
        "statuses": {one.id: one.status for one in loaded.plan.campaigns.values()}
        if loaded
        else {},
        "backfill": backfill or {},
        "faults": list(faults),
        "warnings": list(warnings),
    }
    click.echo(msgspec.json.encode(told).decode())
