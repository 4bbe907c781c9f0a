"""`hairspring init`: a shop to start from."""

from __future__ import annotations

from pathlib import Path

import click

EPILOG = """\b
Example:
  hairspring init my-shop
  hairspring check my-shop
  hairspring test my-shop
"""


@click.command(name="init", epilog=EPILOG)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the files written as JSON.")
def command(*, folder: Path, as_json: bool) -> None:
    """Write a commented shop to DIR, to start from.

    Settings, campaigns with their templates and tests, each with words beside it. DIR is made if it
    is not there; a folder that holds something is left as it is.
    """
    from config import write_starter

    written = [str(file) for file in write_starter(folder)]
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode({"written": written}).decode())
        return
    from rich.text import Text

    from engine.cli.terminal import plain_console

    console = plain_console()
    for file in written:
        console.print(Text("wrote ", style="green"), Text(file), sep="")
    console.print(Text(f"\nNext: hairspring check {folder}"))
