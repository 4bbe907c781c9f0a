"""`hairspring schema`: JSON Schemas of a shop's files, for completion in editors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

EPILOG = """\b
Examples:
  hairspring schema campaign
  hairspring schema --out my-shop/.schemas

Kinds: campaign (campaigns/*.yaml), segments (segments.yaml), settings (hairspring.toml), tests
(tests/*.yaml), tracking-plan (tracking-plan.yaml).
docs/how-to/complete-in-your-editor.md tells how an editor finds them.
"""

FILE = "{kind}.schema.json"


@click.command(name="schema", epilog=EPILOG)
@click.argument("kind", required=False)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write all of them to DIR, each as KIND.schema.json.",
)
def command(*, kind: str | None, out: Path | None) -> None:
    """Print the JSON Schema (draft 2020-12) of one KIND of a shop's files, or write them all."""
    from config.completion import KINDS
    from config.faults import nearest

    if (kind is None) == (out is None):
        raise click.UsageError(f"name one of {', '.join(KINDS)}, or a folder for all with --out")
    if out is not None:
        for path in _written(out):
            click.echo(f"wrote {path}")
    elif kind in KINDS:
        click.echo(_text(kind), nl=False)
    else:
        raise click.UsageError(f"there is no schema of {kind!r}; {nearest(str(kind), KINDS)}")


def _written(folder: Path) -> Iterator[Path]:
    from config.completion import KINDS
    from engine.errors import HairspringError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            path = folder / FILE.format(kind=kind)
            path.write_text(_text(kind), encoding="utf-8", newline="\n")
            yield path
    except OSError as error:
        told = f"{folder} cannot be written: {error.strerror}"
        raise HairspringError(told, hint="name a folder that we may write to") from error


def _text(kind: str) -> str:
    import msgspec

    from config.completion import schema_of

    return msgspec.json.format(msgspec.json.encode(schema_of(kind))).decode() + "\n"
