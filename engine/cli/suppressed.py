"""`hairspring suppressed`: addresses that nothing goes to any more, and how to free one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.running import data_option, user_argument

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = """\b
Examples:
  hairspring suppressed list --data my-shop/data
  hairspring suppressed lift ada email --data my-shop/data
"""


@click.group(name="suppressed", epilog=EPILOG)
def command() -> None:
    """Tell addresses that nothing goes to, and free them, through the running process.

    They come of providers that say that an address is no good, of complaints, and of `add`.
    """


@command.command(name="list", epilog="\b\nExample:\n  hairspring suppressed list --data data")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_(*, data: Path, as_json: bool) -> None:
    """Print them: user, channel, address, how it came and when."""
    import msgspec

    answer = _ask(data, "GET", "api", "suppressed")
    if as_json:
        click.echo(answer.decode())
        return
    told = msgspec.json.decode(answer)
    for one in told["suppressed"]:
        said = [one["user_id"], one["channel"], one["address"], one["source"], one.get("at", "")]
        click.echo("  ".join(said))
    click.echo(f"{told['count']} suppressed", err=True)


@command.command(epilog="\b\nExample:\n  hairspring suppressed lift ada email --data data")
@user_argument("ID")
@click.argument("channel")
@data_option
def lift(*, user_id: str, channel: str, data: Path) -> None:
    """Let messages go to the address that user ID has on CHANNEL again."""
    _state(data, user_id, channel, is_bad=False)
    click.echo(f"{user_id}: {channel} is free again")


@command.command(epilog="\b\nExample:\n  hairspring suppressed add ada sms --data data")
@user_argument("ID")
@click.argument("channel")
@data_option
def add(*, user_id: str, channel: str, data: Path) -> None:
    """Send nothing more to the address that user ID has on CHANNEL."""
    _state(data, user_id, channel, is_bad=True)
    click.echo(f"{user_id}: nothing goes to his address on {channel} any more")


def _state(data: Path, user_id: str, channel: str, *, is_bad: bool) -> None:
    import msgspec

    body = msgspec.json.encode({"source": "operator", "suppressed": {channel: is_bad}})
    _ask(data, "POST", "api", "users", user_id, "consent", body=body)


def _ask(data: Path, method: str, *path: str, body: bytes | None = None) -> bytes:
    from engine.cli.running import Running, reach
    from engine.errors import HairspringError

    place = reach(data)
    if isinstance(place, Running):
        return place.ask(method, *path, body=body)
    place.release()
    raise HairspringError(
        f"no process serves from {data}",
        hint="start it: hairspring serve SHOP",
        code="suppressed.nobody",
    )
