"""`hairspring backup`: everything that a restart needs, in one file, while the process runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store.backup import Backup

EPILOG = """\b
Examples:
  hairspring backup /backups/shop-2026-11-22.db --data my-shop/data
  hairspring backup --force /backups/last.db --data my-shop/data

It holds whatever is known of every user, and is readable for you alone; keep it so.
"""


@click.command(name="backup", epilog=EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@database_option
@click.option("--force", is_flag=True, help="Put it in the place of a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def command(*, file: Path, data: Path, database: str, force: bool, as_json: bool) -> None:
    """Write a backup to FILE: complete, checked, and on disk before it has its name.

    Through the running process where there is one, which goes on meanwhile; else from the data
    folder. Nothing is left of a backup that failed.
    """
    import msgspec

    from engine.cli.running import Running, database_at_rest, reach
    from engine.cli.terminal import progress_bar
    from engine.store.backup import Backup

    file = file.absolute()
    place = reach(data)
    with progress_bar("backing up") as told:
        if isinstance(place, Running):
            body = msgspec.json.encode({"path": str(file), "force": force})
            made = place.follow("POST", "api", "backup", body=body, form=Backup, on_progress=told)
        else:
            try:
                path = database_at_rest(data, database)
                made = _back_up(path, file, force=force, told=told)
            finally:
                place.release()
    if as_json:
        click.echo(msgspec.json.encode(made).decode())
    else:
        click.echo(f"{made.path}: {made.size_bytes:,} bytes, complete and checked")


def _back_up(path: Path, file: Path, *, force: bool, told: Callable[[int, int], None]) -> Backup:
    import asyncio

    from engine.runtime.clock import wall_ms
    from engine.store import Store
    from engine.store.backup import back_up

    async def work() -> Backup:
        store = await Store.open(path)
        try:
            return await back_up(store, file, wall_ms(), force=force, on_progress=told)
        finally:
            await store.close()

    return asyncio.run(work())
