"""`hairspring audit`: what of archive, state and outbox does not fit together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.sim.auditing import Audit

EPILOG = """\b
Examples:
  hairspring audit --data my-shop/data
  hairspring audit --data my-shop/data --json | jq '.findings[]'

Exit code 0: everything fits; 1: something does not, and is told.
"""


@click.command(name="audit", epilog=EPILOG)
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(*, data: Path, database: str, as_json: bool) -> None:
    """Compare archive, state and outbox, and tell what does not fit.

    The archive is replayed from its floor and held against what is stored; messages against who
    waits for them; the index, message ids and stamps against the inputs. A process that runs gives
    a consistent copy, and goes on meanwhile. Nothing is mended.
    """
    import msgspec

    from engine.cli.snapshots import snapshot
    from engine.cli.terminal import progress_bar

    with (
        progress_bar("auditing") as told,
        snapshot(data, database, told, name="audit.snapshot") as path,
    ):
        found = _audited(path, told)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _tell(found)
    if found.findings:
        sys.exit(1)


def _audited(path: Path, told: Callable[[int, int], None]) -> Audit:
    import asyncio

    from engine.sim.auditing import audit
    from engine.store import Store

    async def work() -> Audit:
        store = await Store.open(path)
        try:
            return await audit(store, told)
        finally:
            await store.close()

    return asyncio.run(work())


def _tell(found: Audit) -> None:
    for finding in found.findings:
        click.echo(f"{finding.part}: {finding.subject}: {finding.told}")
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    count = len(found.findings)
    told = "everything fits" if not count else f"{count:,} do{'es' if count == 1 else ''} not fit"
    click.echo(
        f"{found.users:,} users, {found.inputs:,} inputs replayed, {found.records:,} records, "
        f"{found.messages:,} messages: {told}"
    )
