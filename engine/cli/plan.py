"""`hairspring plan`: a tracking plan, proposed from what the archive has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.running import data_option, database_option

if TYPE_CHECKING:
    from pathlib import Path

    from engine.runtime.admin.inferring import Proposal

EPILOG = """\b
Examples:
  hairspring plan infer --data my-shop/data > my-shop/tracking-plan.yaml
  hairspring check my-shop
"""

HEAD = """\
# Proposed by `hairspring plan infer` from {events:,} events: it takes every one of them.
# Read it before you keep it: `integer` is a number that was whole each time, `required` was always
# there, and `enum` has the values that came.
"""


@click.group(name="plan", epilog=EPILOG)
def command() -> None:
    """The tracking plan: what events a shop sends, and of what form they are."""


@command.command(name="infer", epilog=EPILOG)
@data_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with what was looked at.")
def infer_(*, data: Path, database: str, as_json: bool) -> None:
    """Propose a tracking-plan.yaml from the events of the archive, and print it.

    Types as they came, required what was always there, enums of texts with few values that came
    often; through the running process where there is one.
    """
    import msgspec

    from engine.cli.running import Running, reach
    from engine.cli.terminal import progress_bar
    from engine.cli.users import at_rest
    from engine.runtime.admin.inferring import Proposal, infer

    place = reach(data)
    with progress_bar("reading") as told:
        if isinstance(place, Running):
            found = place.follow("GET", "api", "plan", "infer", form=Proposal, on_progress=told)
        else:
            found = at_rest(place, database, lambda store: infer(store, told))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    click.echo(_written(found), nl=False)
    if found.left_out:
        click.echo(f"{found.left_out:,} events of other names are left out", err=True)


def _written(found: Proposal) -> str:
    """The file's text."""
    import yaml

    class Compact(yaml.SafeDumper):
        """A map within a map of events goes on one line: a property reads as one."""

    def show(dumper: yaml.SafeDumper, said: dict[str, Any]) -> yaml.Node:
        is_property = "type" in said and isinstance(said["type"], str)
        return dumper.represent_mapping("tag:yaml.org,2002:map", said, flow_style=is_property)

    Compact.add_representer(dict, show)
    text = yaml.dump(found.plan, Dumper=Compact, sort_keys=False, allow_unicode=True, width=100)
    return HEAD.format(events=found.events) + text
