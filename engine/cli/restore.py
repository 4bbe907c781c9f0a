"""`hairspring restore`: a backup in the place of a data folder's database."""

from __future__ import annotations

import json
from pathlib import Path

import click

from engine.cli.running import data_option

EPILOG = """\b
Example:
  hairspring restore /backups/shop-2026-11-22.db --data my-shop/data

Deadlines that passed since the backup was made are judged by the next start: what expires has
expired. Messages that went out since may go out again: nothing here knows of them any more.
"""


@click.command(name="restore", epilog=EPILOG)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@click.option(
    "--database",
    default="hairspring.db",
    show_default=True,
    metavar="NAME",
    help="The database in the data folder, where [storage] file has another name.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(*, file: Path, data: Path, database: str, as_json: bool) -> None:
    """Put the backup FILE in the place of the data folder's database.

    Refused while a process runs. The backup is checked first; the database that was there stays
    beside it under another name.
    """
    from engine.core.instants import format_instant
    from engine.runtime.clock import wall_ms
    from engine.store import DataFolder
    from engine.store.restore import restore

    folder = DataFolder.take(data)
    try:
        stamp = format_instant(wall_ms()).replace("-", "").replace(":", "").replace(".", "")
        aside = restore(file, data / database, stamp)
    finally:
        folder.release()
    if as_json:
        kept = None if aside is None else str(aside)
        done = {"database": str(data / database), "backup": str(file), "kept": kept}
        click.echo(json.dumps(done))
        return
    click.echo(f"{data / database} is as {file} has it")
    if aside is not None:
        click.echo(f"what was there is kept as {aside}")
