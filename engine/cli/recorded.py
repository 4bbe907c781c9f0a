"""Options of the commands that read recorded events: `simulate` and `import`."""

from __future__ import annotations

import click

FILE_HELP = "NDJSON, or CSV by its name (.csv) or --map; .gz too; - is standard input."


def _columns(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    from engine.sim.table import FIELDS

    columns = {}
    for pair in ",".join(values).split(",") if values else ():
        field, found, column = (part.strip() for part in pair.partition("="))
        if field not in FIELDS or not found or not column:
            known = ", ".join(FIELDS)
            raise click.BadParameter(f"{pair!r}: write FIELD=COLUMN; fields are {known}")
        if field in columns:
            raise click.BadParameter(f"{field!r} is there twice; give it one column")
        columns[field] = column
    return columns


events_option = click.option("--events", required=True, metavar="FILE", help=FILE_HELP)
"""`--events FILE`."""

columns_option = click.option(
    "--map",
    "columns",
    callback=_columns,
    multiple=True,
    metavar="FIELD=COLUMN,…",
    help="It is a CSV, and these columns hold user_id, event, timestamp, message_id, received_at, "
    "sent_at. Further columns become properties.",
)
"""`--map FIELD=COLUMN`, for CSV."""
