"""`hairspring preview`: a template as a message, written to files and sent to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from engine.cli.running import database_option
from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from channels.rendering import Template
    from config import Shop
    from engine.store import Store

EPILOG = """\b
Examples:
  hairspring preview cart-reminder.email --shop my-shop --sample
  hairspring preview my-shop/templates/cart-reminder.email.liquid --sample --locale fr-FR
  hairspring preview cart-reminder --shop my-shop --user ada --out reminder.html
"""

_ENDINGS: Final = (".html", ".txt", ".eml", ".json")
_EVENTS_MAX: Final = 1_000


class PreviewFailed(HairspringError):  # noqa: N818 - as other outcomes are named
    """A template that cannot be shown."""

    code = "preview.failed"


@click.command(name="preview", epilog=EPILOG)
@click.argument("template", metavar="TEMPLATE")
@click.option(
    "--shop",
    type=click.Path(file_okay=False, path_type=Path),
    help="The shop folder.  [default: that of TEMPLATE where it is a file, else this folder]",
)
@click.option("--user", "user_id", metavar="ID", help="Somebody known, as he is now.")
@click.option("--sample", is_flag=True, help="Somebody who never was, with two things in the cart.")
@click.option(
    "--event", "event_name", metavar="NAME", help="The user's newest event of this name is `event`."
)
@click.option("--locale", metavar="LOCALE", help="In place of the user's own, such as fr-FR.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to: FILE.html alone, or FILE and the endings of all files.  "
    "[default: TEMPLATE.CHANNEL here]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="HAIRSPRING_DATA",
    show_envvar=True,
    help="The data folder, for --user.  [default: SHOP/data]",
)
@database_option
def command(
    *,
    template: str,
    shop: Path | None,
    user_id: str | None,
    sample: bool,
    event_name: str | None,
    locale: str | None,
    out: Path | None,
    data: Path | None,
    database: str,
) -> None:
    """Render a template strictly, as of now, and write what comes out.

    TEMPLATE is NAME, NAME.CHANNEL or the file. A name that is not there is told with its line. Of a
    user who is known through the running process where there is one, else from the data folder; his
    newest event that a campaign starts by is `event`. Nothing is sent, and no coupon is given out.
    """
    from config import load_folder
    from engine.runtime.admin.previewing import sample as somebody
    from engine.runtime.clock import wall_ms

    if (user_id is None) is not sample:
        raise click.UsageError("give one of --user ID and --sample")
    name, folder = _place(template, shop)
    loaded = load_folder(folder)
    chosen = _chosen(loaded, name)
    data = data or folder / "data"
    _fill_shelf(loaded, data)
    now_ms = wall_ms()
    if user_id is None:
        known, event = somebody(loaded, now_ms), None
    else:
        known, event = _known(loaded, user_id, data, database, event_name)
    if locale is not None:
        known["user"]["locale"] = locale
    for one in chosen:
        told = f"{one.name}.{one.channel}" + (f".{locale}" if locale else "")
        base = Path(told) if out is None else out
        several = len(chosen) > 1 and out is not None
        for file in _write(loaded, one, (known, event), now_ms, base, several=several):
            click.echo(file)


def _place(template: str, shop: Path | None) -> tuple[str, Path]:
    """The name of what is shown, and the shop folder that it is in."""
    file = Path(template)
    if not template.endswith(".liquid"):
        return template, shop or Path()
    return file.name.removesuffix(".liquid"), shop or file.resolve().parent.parent


def _chosen(shop: Shop, said: str) -> list[Template]:
    """The templates of a name, of one channel or of all; a locale behind it is passed over."""
    from config.faults import nearest

    found = [
        template
        for (name, channel), template in shop.templates.items()
        if said in {name, f"{name}.{channel}"} or said.startswith(f"{name}.{channel}.")
    ]
    if not found:
        known = sorted(f"{name}.{channel}" for name, channel in shop.templates)
        raise PreviewFailed(f"there is no template {said!r}", hint=nearest(said, known))
    return found


def _fill_shelf(shop: Shop, data: Path) -> None:
    """Have the products of an address as the process has fetched them last."""
    from channels.feed import FeedFault, read_feed
    from engine.runtime.catalog.kept import read_kept

    catalog = shop.settings.catalog
    if shop.shelf is None or not catalog.url:
        return
    kept = read_kept(data, catalog.url)
    try:
        if kept is not None:
            shop.shelf.catalog = read_feed(kept.data, kept.kind, catalog.fields).catalog
            return
    except FeedFault:
        pass  # of another version; it is fetched anew
    told = f"warning: no products: {data} has none of {catalog.url}; hairspring serve fetches them"
    click.secho(told, fg="yellow", err=True)


def _known(
    shop: Shop, user_id: str, data: Path, database: str, event_name: str | None
) -> tuple[dict[str, Any], tuple[str, Any] | None]:
    """What is known of a user, and his event."""
    import msgspec

    from engine.cli.running import Running, reach
    from engine.cli.users import at_rest
    from engine.runtime.admin.previewing import event_of

    place = reach(data)
    if isinstance(place, Running):
        known = msgspec.json.decode(place.ask("GET", "api", "users", user_id, "snapshot"))
        answer = place.ask("GET", "api", "users", user_id, "timeline")
        timeline = msgspec.json.decode(answer)["timeline"]
    else:
        known, timeline = at_rest(place, database, lambda store: _rested(store, shop, user_id))
    if event_name:
        timeline = [one for one in timeline if one.get("event") == event_name]
        if not timeline:
            raise PreviewFailed(
                f"{user_id!r} has no event {event_name!r} that is kept",
                hint="leave --event out, or name one of his: hairspring users export",
            )
    return known, event_of(timeline, shop.plan)


async def _rested(store: Store, shop: Shop, user_id: str) -> tuple[dict[str, Any], list[Any]]:
    import msgspec

    from engine.cli.users import unknown
    from engine.runtime.admin.dossier import timeline
    from engine.runtime.admin.previewing import snapshot_of
    from engine.store.holdings import ids_of, saved_state

    user = await saved_state(store, user_id)
    if user is None:
        raise unknown(user_id)
    lines = await timeline(store, *(await ids_of(store, user_id)), limit=_EVENTS_MAX)
    snapshot = msgspec.json.decode(msgspec.json.encode(snapshot_of(user, shop.plan)))
    return snapshot, msgspec.json.decode(msgspec.json.encode(lines))


def _write(
    shop: Shop,
    template: Template,
    about: tuple[dict[str, Any], tuple[str, Any] | None],
    now_ms: int,
    base: Path,
    *,
    several: bool,
) -> Iterator[Path]:
    """Render and write; the files that there are then."""
    from channels.email import EmailFault
    from channels.rendering import RenderFailed
    from engine.runtime.admin.previewing import context_for, files_of

    context = context_for(shop, template, *about)
    try:
        rendered = template.render(context, now_at_ms=now_ms, strict=True)
        files = files_of(shop, template, rendered, context, now_ms)
    except RenderFailed as error:
        told = f"{error.path}:{error.line}: {error.reason}"
        raise PreviewFailed(told, hint=error.hint) from error
    except EmailFault as fault:
        raise PreviewFailed(f"{template.path}: {fault.message}", hint=fault.hint) from fault
    only = base.suffix if base.suffix in _ENDINGS else ""
    if only and only not in files and not several:
        hint = f"name the file with {' or '.join(files)}, or with no ending"
        raise PreviewFailed(f"{template.path} makes no {only} file", hint=hint)
    stem = base.with_suffix("") if only else base
    if several:
        stem = stem.with_name(f"{stem.name}.{template.channel}")
    for ending, content in files.items():
        if only and ending != only:
            continue
        file = stem.with_name(stem.name + ending)
        try:
            file.write_bytes(content)
        except OSError as error:
            hint = "give another place with --out"
            raise PreviewFailed(f"{file} cannot be written: {error.strerror}", hint=hint) from error
        yield file
