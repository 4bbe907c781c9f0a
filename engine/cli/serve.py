"""`hairspring serve`: the process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from structlog.typing import FilteringBoundLogger

    from config import Shop
    from engine.app import App, Options
    from engine.runtime.reloading import Reloading

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
@click.option(
    "--accept-clock",
    is_flag=True,
    help="Start although the clock is more than a day from the last event.",
)
@click.option("--json", "as_json", is_flag=True, help="Log JSON lines, also to a terminal.")
@click.option("--verbose", is_flag=True, help="Log every request too.")
def command(
    *,
    shop: Path,
    data: Path | None,
    host: str | None,
    port: int | None,
    accept_clock: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Run SHOP: take events, fire deadlines, deliver messages.

    SIGTERM and ctrl-C drain: nothing new is taken, requests and deliveries under way end, everybody
    is saved. A second one ends the process at once, and leaves that to the next start. SIGHUP takes
    a changed shop on; one with faults is refused, and the log says why.
    """
    from engine.app import Options
    from engine.errors import HairspringError, UsageError
    from engine.runtime.logs import set_up_logs

    writes_json = set_up_logs(as_json=as_json, verbose=verbose)
    try:
        data = data or shop / "data"
        options = Options(data=data, folder=shop, host=host, port=port, accept_clock=accept_clock)
        _run(shop, options)
    except HairspringError as error:
        if not writes_json:
            raise
        # Whoever reads JSON lines reads nothing else.
        _logger().error("serve.failed", code=error.code, why=error.message, hint=error.hint)
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _run(folder: Path, options: Options) -> None:
    import asyncio

    from config import load_folder

    shop = load_folder(folder)
    for warning in shop.warnings:
        _logger().warning("shop.warning", what=str(warning))
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve(shop, options))


def _logger() -> FilteringBoundLogger:
    import structlog

    logger: FilteringBoundLogger = structlog.get_logger("hairspring")
    return logger


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where the `speed` extra is installed, else None: Python's own."""
    import importlib

    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def stop_on_signals(
    left: Callable[[], Mapping[str, int]] = dict, reloading: Reloading | None = None
) -> asyncio.Event:
    """An event of the running loop that SIGTERM and SIGINT set; a second one ends the process.

    It ends then at once with 128 plus the signal's number, as a shell tells it of programs that a
    signal ended, and says what is `left` to the next start. SIGHUP reloads the shop.
    """
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heed(number: int) -> None:
        if not stop.is_set():
            stop.set()
            return
        hint = "the next start takes it up; nothing acknowledged is lost"
        _logger().warning("stopped.at_once", **left(), hint=hint)
        sys.stdout.flush()
        # What ends in order would wait for what hangs: the store is made for a kill at any instant.
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heed, number)
    under_way: set[asyncio.Task[None]] = set()

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _logger().error("reload.broke", exc_info=task.exception())

    def hang_up() -> None:
        task = loop.create_task(_reload(reloading))
        under_way.add(task)
        task.add_done_callback(ended)

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    return stop


async def _reload(reloading: Reloading | None) -> None:
    """Take a changed shop on; one with faults is told in the log, and changes nothing."""
    from config import ShopInvalid
    from engine.errors import HairspringError

    if reloading is None:
        _logger().warning("reload.refused", why="this shop is in no folder")
        return
    try:
        await reloading.reload()
    except ShopInvalid as invalid:
        faults = [str(fault) for fault in invalid.faults]
        hint = "the shop stays as it was; mend it and reload again"
        _logger().error("reload.refused", why="the shop does not check", faults=faults, hint=hint)
    except HairspringError as error:
        _logger().error("reload.refused", why=error.message, hint=error.hint)


async def _serve(shop: Shop, options: Options) -> None:
    from engine.app import App
    from engine.runtime.memory import return_large_buffers

    return_large_buffers()
    app = await App.start(shop, options)
    stop = stop_on_signals(app.left, app.reloading)
    try:
        _tell(shop, app)
        await app.run(stop)
    finally:
        hint = "a second signal ends at once"
        _logger().info("draining", within_s=options.drain_s, **app.left(), hint=hint)
        await app.stop()
        _logger().info("stopped", messages=app.left()["messages"])


def _tell(shop: Shop, app: App) -> None:
    name = shop.settings.shop.name
    click.echo(f"{name}: events on {app.ingest.url}, metrics on {app.admin.url}/metrics")
    made_at = app.admin_key.made_at
    if made_at is not None:
        click.echo(f"admin key, made now and kept in {made_at}: {app.admin_key.key}")
