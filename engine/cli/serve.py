"""`hairspring serve`: the process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from config import Shop
    from engine.app import Options

EPILOG = """\b
Example:
  hairspring serve my-shop --data /var/lib/hairspring --port 8080
"""


@click.command(name="serve", epilog=EPILOG)
@click.argument("shop", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data folder.  [default: SHOP/data]",
)
@click.option("--host", help="Listen here.  [default: as hairspring.toml says]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Listen on this port; 0 takes a free one.  [default: as hairspring.toml says]",
)
@click.option("--json", "as_json", is_flag=True, help="Log JSON lines, also to a terminal.")
@click.option("--verbose", is_flag=True, help="Log every request too.")
def command(
    *,
    shop: Path,
    data: Path | None,
    host: str | None,
    port: int | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Run SHOP: take events, fire deadlines, deliver messages.

    SIGTERM and ctrl-C drain: nothing new is taken, deliveries under way end, everybody is saved.
    """
    import asyncio

    from config import load_folder
    from engine.app import Options
    from engine.runtime.logs import set_up_logs

    set_up_logs(as_json=as_json, verbose=verbose)
    loaded = load_folder(shop)
    for warning in loaded.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    options = Options(data=data or shop / "data", host=host, port=port)
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve(loaded, options))


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where the `speed` extra is installed, else None: Python's own."""
    import importlib

    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def stop_on_signals() -> asyncio.Event:
    """An event of the running loop that SIGTERM and SIGINT set."""
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # A reload is not built yet; whoever asks for one must not end the process.
    loop.add_signal_handler(
        signal.SIGHUP,
        lambda: click.echo("SIGHUP: not built yet; restart to take a changed shop on", err=True),
    )
    return stop


async def _serve(shop: Shop, options: Options) -> None:
    from engine.app import App

    app = await App.start(shop, options)
    stop = stop_on_signals()
    click.echo(
        f"{shop.settings.shop.name}: events on {app.ingest.url}, metrics on {app.admin.url}/metrics"
    )
    try:
        await app.run(stop)
    finally:
        await app.stop()
