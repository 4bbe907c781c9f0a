"""The command line: one file a command, loaded when it is called.

Exit code 0: done; 1: the thing asked for failed; 2: wrong usage; 130: ctrl-C; 141: who read the
output is gone.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click
from typing_extensions import override

from engine import __version__
from engine.cli.terminal import no_such_command, pipe_may_close, usage_told

COMMANDS = {
    "demo": "The demo shop, served, with simulated shoppers and time sped up.",
    "init": "Write a commented shop to start from.",
    "check": "Tell every fault of a shop, with file and line.",
    "diff": "Tell what would come of a changed shop, before it is taken on.",
    "serve": "Run a shop: take events, fire deadlines, deliver messages.",
    "trigger": "Start a campaign by hand: for a user, or for a whole segment.",
    "deadletters": "Tell of messages that failed for good, or have them delivered after all.",
    "quarantine": "Tell of items that could not be taken, or try them again.",
    "users": "Tell what is held of a user, or erase it; sign his token.",
    "suppressed": "Tell of addresses that nothing goes to any more, or free one.",
    "explain": "Tell why a user came into a campaign, did not, or when he will.",
    "report": "Tell how a campaign does, at the terminal or as a page in a file.",
    "records": "Write what happened, record by record, as JSON lines or CSV.",
    "simulate": "Run a shop over recorded events in virtual time.",
    "test": "Run a shop's own tests, tests/*.yaml, in virtual time.",
    "preview": "Write a template as the message that it makes, to files.",
    "push-key": "Tell the public key that browsers subscribe to push messages with.",
    "schema": "Write JSON Schemas of a shop's files, for completion in editors.",
    "plan": "Propose a tracking plan from the events of the archive.",
    "audit": "Compare archive, state and outbox, and tell what does not fit.",
    "import": "Bring history into the state: recorded events, with no entry and no send.",
    "export-journal": "Write what a live run took in and what came of it, for simulate.",
    "backup": "Write everything that a restart needs to a file, while the process runs.",
    "restore": "Put a backup in the place of a data folder's database.",
}
"""What `hairspring --help` lists; a command's module is imported when it is called."""

_MODULES = {
    "import": "import_history",
    "export-journal": "export_journal",
    "push-key": "push_key",
    "test": "testing",
}
"""Where a command's name cannot be that of a module."""


class _Commands(click.Group):
    @override
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with pipe_may_close():
            return super().make_context(info_name, args, parent, **extra)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with pipe_may_close():
            return super().invoke(ctx)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS:
            raise no_such_command(ctx, name, known=COMMANDS)
        return super().resolve_command(ctx, args)

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command: click.Command = importlib.import_module(f"engine.cli.{module}").command
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
        if said := os.environ.get("HAIRSPRING_FAILPOINTS"):
            from engine.failpoints import arm

            arm(said)  # a testing tool: the process dies where it is told to
        code = hairspring.main(prog_name="hairspring", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        _tell(usage_told(error))
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except HairspringError as error:
        _tell(str(error))
        code = 2 if isinstance(error, UsageError) else 1
    sys.exit(code)


def _tell(error: str) -> None:
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(error, err=True)
