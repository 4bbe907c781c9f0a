"""`hairspring push-key`: the public key that browsers subscribe to push messages with."""

from __future__ import annotations

from pathlib import Path

import click

EPILOG = """\b
Examples:
  hairspring push-key my-shop
  hairspring push-key my-shop --data /var/lib/hairspring

It is the applicationServerKey of pushManager.subscribe(); GET /push/key tells it, too.
"""


@click.command(name="push-key", epilog=EPILOG)
@click.argument(
    "shop", metavar="SHOP", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data folder; by default SHOP/data.",
)
def command(*, shop: Path, data: Path | None) -> None:
    """Print the public key that belongs to the shop's private one, which is made where none is."""
    from channels.base import ChannelError
    from channels.registry import push_key
    from config import load_folder
    from engine.errors import HairspringError

    channels = load_folder(shop).settings.channels
    try:
        key = push_key(channels, shop / "data" if data is None else data)
    except ChannelError as error:
        raise HairspringError(error.message, hint=error.hint, code="push.key") from error
    if not key:
        raise HairspringError(
            "this shop sends no web push",
            hint='say transport = "webpush" under [channels.push] of hairspring.toml',
            code="push.off",
        )
    click.echo(key)
