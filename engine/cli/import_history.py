"""`hairspring import`: recorded events into the state, as history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.recorded import columns_option, events_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config import Shop
    from engine.cli.running import Running
    from engine.core.inputs import Imported, UserInput
    from engine.sim.reading import Reading
    from engine.sim.sources import Source

EPILOG = """\b
Examples:
  hairspring import my-shop --events last-year.ndjson.gz
  hairspring import my-shop --data /var/lib/hairspring --events orders.csv --map event=kind

It can be said again, after a kill or with a file that has grown: what is known is passed over.
"""

_AGAIN_AFTER_S = 0.5
_AGAIN_MAX = 120
_TOLD_AT = 4  # tries: two seconds of them


@click.command(name="import", epilog=EPILOG)
@click.argument("shop", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data folder.  [default: SHOP/data]",
)
@events_option
@columns_option
@click.option("--json", "as_json", is_flag=True, help="Print what became of it as JSON.")
def command(
    *, shop: Path, data: Path | None, events: str, columns: dict[str, str], as_json: bool
) -> None:
    """Bring recorded events into the state of SHOP: histories, traits, consent.

    Nobody enters a campaign by them and nothing is sent; an exit event ends what it would have
    ended. Through the running process where there is one, which goes on meanwhile; else into the
    data folder. Each piece is on disk before the next one is read.
    """
    from engine.cli.running import Running, reach
    from engine.cli.terminal import progress_bar
    from engine.sim.sources import open_events

    data = data or shop / "data"
    loaded = _loaded(shop)
    with open_events(events) as source, progress_bar("importing") as told:
        place = reach(data, may_make=True)
        piecemeal = _Piecemeal(source, events, columns, told, loaded)
        if isinstance(place, Running):
            piecemeal.bring_to(place)
        else:
            try:
                piecemeal.bring_into(loaded, data)
            finally:
                place.release()
    piecemeal.tell(as_json=as_json)


def _loaded(folder: Path) -> Shop:
    from config import load_folder

    shop = load_folder(folder)
    for warning in shop.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    return shop


class _Piecemeal:
    """History that is handed over piece by piece, and counted.

    Attributes:
        taken: Inputs that are new.
        known: Those that were taken before.
    """

    def __init__(
        self,
        source: Source,
        path: str,
        columns: dict[str, str],
        told: Callable[[int, int], None],
        shop: Shop,
    ) -> None:
        from engine.sim.reading import Reading
        from engine.sim.sources import STDIN

        self.taken = 0
        self.known = 0
        self._source = source
        self._columns = columns
        self._told = told
        label = "stdin" if path == STDIN else Path(path).name
        self._reading: Reading = Reading(label, shop.tracking_plan)

    def bring_to(self, running: Running) -> None:
        """Have a running process take it. Raises Refused."""
        import msgspec

        from engine.core.inputs import encode_inputs

        for piece in self._pieces():
            said = msgspec.json.decode(_ask_until_taken(running, encode_inputs([*piece])))
            self._count(said["taken"], said["known"])

    def bring_into(self, shop: Shop, data: Path) -> None:
        """Take it into a data folder that nobody serves from. Raises StoreError."""
        import asyncio

        asyncio.run(self._bring_into(shop, data / shop.settings.storage.file))

    async def _bring_into(self, shop: Shop, path: Path) -> None:
        from engine.runtime.admin.resting import at_rest

        async with at_rest(shop, path) as resting:
            shell, dedupe = resting.restarted.shell, resting.restarted.processor.dedupe
            assert dedupe is not None
            for piece in self._pieces():
                fresh = dedupe.fresh(piece)
                await resting.have(shell.submit(fresh))
                self._count(len(fresh), len(piece) - len(fresh))

    def _pieces(self) -> Iterator[list[Imported]]:
        from engine.runtime.clock import wall_ms
        from engine.sim.history import as_history, in_chunks
        from engine.sim.run import PROGRESS_EVERY, nothing_in

        def read() -> Iterator[UserInput]:
            inputs = self._source.inputs(self._reading, self._columns)
            for count, happened in enumerate(inputs):
                if count % PROGRESS_EVERY == 0 and self._source.size_bytes:
                    self._told(self._source.position_bytes(), self._source.size_bytes)
                yield happened

        yield from in_chunks(as_history(read(), wall_ms()))
        if not self._reading.events:
            raise nothing_in(self._reading)

    def _count(self, taken: int, known: int) -> None:
        self.taken += taken
        self.known += known
        self._told(self.taken + self.known, self._reading.events)

    def tell(self, *, as_json: bool) -> None:
        """Print what became of it."""
        import msgspec

        reading = self._reading
        if as_json:
            said = {
                "taken": self.taken,
                "known": self.known,
                "bad_lines": reading.bad,
                "bad_lines_shown": [bad.text for bad in reading.shown],
            }
            click.echo(msgspec.json.encode(said).decode())
            return
        known = f", {self.known:,} known already" if self.known else ""
        inputs = "input" if self.taken == 1 else "inputs"
        click.echo(f"{self.taken:,} {inputs} of history taken{known}")
        if reading.bad:
            lines = "1 line is" if reading.bad == 1 else f"{reading.bad:,} lines are"
            click.echo(f"{lines} no event:", err=True)
            for bad in reading.shown:
                click.echo(f"  {bad.text}", err=True)


def _ask_until_taken(running: Running, body: bytes) -> bytes:
    """A process that cannot take it now says so; it is asked again, up to `_AGAIN_MAX` times.

    Why it cannot is told once, since what helps (a disk with room) may be for a person to do.
    """
    import time

    from engine.cli.running import Refused

    tries = 0
    while True:
        try:
            return running.ask("POST", "api", "import", body=body)
        except Refused as error:
            tries += 1
            if error.code not in {"unavailable", "not_ready"} or tries >= _AGAIN_MAX:
                raise
            if tries == _TOLD_AT:
                left_s = int((_AGAIN_MAX - tries) * _AGAIN_AFTER_S)
                told = f"not taken yet: {error.message}; it is asked again for {left_s} seconds"
                click.echo(told, err=True)
        time.sleep(_AGAIN_AFTER_S)
