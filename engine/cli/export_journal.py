"""`hairspring export-journal`: a live run's inputs, in the form that `simulate` takes."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.sim.exported import End

EPILOG = """\b
Examples:
  hairspring export-journal run.ndjson.gz --data my-shop/data
  hairspring simulate my-shop --events run.ndjson.gz

It holds whatever users did and what is known of them, and is readable for you alone; keep it so.
"""

_SNAPSHOT = "export-journal.snapshot"


@click.command(name="export-journal", epilog=EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(*, file: Path, data: Path, database: str, as_json: bool) -> None:
    """Write to FILE (.gz: compressed) what a live run took in, and what came of it.

    Events, identify calls, outcomes of deliveries, changes of the shop and of time, with their
    stamps, as far back as the archive goes. A running process goes on meanwhile: the export is of
    a copy, for which there must be room in the data folder. Nothing is left of one that failed.
    """
    import msgspec

    from engine.cli.snapshots import snapshot
    from engine.cli.terminal import progress_bar

    with (
        progress_bar("exporting") as told,
        snapshot(data, database, told, name=_SNAPSHOT) as path,
        _written(file, data) as write,
    ):
        end = _export(path, write, told)
    if as_json:
        click.echo(msgspec.json.encode(end).decode())
    else:
        click.echo(
            f"{file}: {end.inputs:,} inputs, {end.records:,} records, {end.states:,} users' states"
        )


def _export(path: Path, write: Callable[[bytes], object], told: Callable[[int, int], None]) -> End:
    import asyncio

    from engine.sim.exporting import export
    from engine.store import Store

    async def work() -> End:
        store = await Store.open(path)
        try:
            return await export(store, write, told)
        finally:
            await store.close()

    return asyncio.run(work())


@contextmanager
def _written(file: Path, data: Path) -> Iterator[Callable[[bytes], object]]:
    """Where lines are written."""
    import gzip

    from engine.cli.private_file import private_file

    with private_file(file, data) as raw:
        if file.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
                yield packed.write
        else:
            yield raw.write
