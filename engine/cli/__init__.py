"""The command line: one file a command, loaded when it is called.

Exit code 0: done; 1: the thing asked for failed; 2: wrong usage.
"""

from __future__ import annotations

import importlib
import sys

import click
from typing_extensions import override

from engine import __version__

COMMANDS = {
    "demo": "The demo shop, served, with simulated shoppers and time sped up.",
    "init": "Write a commented shop to start from.",
    "check": "Tell every fault of a shop, with file and line.",
    "serve": "Run a shop: take events, fire deadlines, deliver messages.",
    "simulate": "Run a shop over recorded events in virtual time.",
}
"""What `hairspring --help` lists; a command's module is imported when it is called."""


class _Commands(click.Group):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"engine.cli.{cmd_name}").command
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The summaries stand here, so that --help imports no command.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hairspring")
def hairspring() -> None:
    """Behavioral triggers in one process: events in, deadlines to the millisecond, messages out.

    Start with `hairspring demo`, then `hairspring init my-shop`.
    """


def main() -> None:
    """The command `hairspring`, also `python -m engine`."""
    from engine.errors import HairspringError, UsageError

    try:
        hairspring.main(prog_name="hairspring", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except HairspringError as error:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
