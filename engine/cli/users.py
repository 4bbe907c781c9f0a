"""`hairspring users`: what is held of one user, told or erased."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.running import always_json_option, data_option, database_option, user_argument
from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.store import DataFolder, Store

EPILOG = """\b
Examples:
  hairspring users show ada --data my-shop/data
  hairspring users export ada --data my-shop/data --out ada.json
  hairspring users erase ada --data my-shop/data --yes
"""


@click.group(name="users", epilog=EPILOG)
def command() -> None:
    """Tell what is held of a user, or erase it.

    Through the running process where there is one, which goes on meanwhile; else from the data
    folder.
    """


@command.command(epilog="\b\nExample:\n  hairspring users show ada --data my-shop/data")
@user_argument("ID")
@data_option
@database_option
@always_json_option
def show(*, user_id: str, data: Path, database: str) -> None:
    """Print a user's state as JSON.

    Where no process runs, it is as it was saved last; after a kill, what happened since is told by
    `users export`.
    """
    from engine.cli.running import Running, reach

    place = reach(data)
    if isinstance(place, Running):
        _print(place.ask("GET", "api", "users", user_id))
        return
    _print(at_rest(place, database, lambda store: _show(store, user_id)))


@command.command(
    epilog="\b\nExample:\n  hairspring users export ada --data my-shop/data > ada.json"
)
@user_argument("ID")
@data_option
@database_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, readable for you alone, instead of to the terminal.",
)
@always_json_option
def export(*, user_id: str, data: Path, database: str, out: Path | None) -> None:
    """Print everything that is held of a user, as one JSON document.

    State, events, records, messages (waiting, failed, and in the files of the transport `file`),
    items in the quarantine, and the earlier states that the archive is replayed from.
    """
    from engine.cli.private_file import private_file
    from engine.cli.running import Running, reach

    place = reach(data)
    if isinstance(place, Running):
        document = place.ask("GET", "api", "users", user_id, "export")
    else:
        document = at_rest(place, database, lambda store: _export(store, data, user_id))
    if out is None:
        _print(document)
        return
    with private_file(out, data) as file:
        file.write(document + b"\n")
    click.echo(f"{out}: {len(document):,} bytes", err=True)


@command.command(epilog="\b\nExample:\n  hairspring users erase ada --data my-shop/data --yes")
@user_argument("ID")
@data_option
@database_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what went as JSON.")
def erase(*, user_id: str, data: Path, database: str, yes: bool, as_json: bool) -> None:
    """Erase everything that is held of a user; there is no way back.

    What happened before, and arrives later, is not taken any more. The backups that may still hold
    him are named. A kill in between is made good by the next start.
    """
    import msgspec

    from engine.cli.running import Running, reach
    from engine.runtime.erasing import Erased

    # Where nobody can answer, a script has asked for it.
    if not yes and sys.stdin.isatty():
        asked = f"Erase everything that is held of {user_id!r}?"
        if not click.confirm(asked, err=True):
            raise HairspringError(
                "nothing was erased",
                hint="say it again and answer y, or give --yes",
                code="users.declined",
            )
    place = reach(data)
    if isinstance(place, Running):
        answer = place.ask("DELETE", "api", "users", user_id)
        erased = msgspec.json.decode(answer, type=Erased)
    else:
        erased = at_rest(place, database, lambda store: _erase(store, data, user_id))
    if as_json:
        click.echo(msgspec.json.encode(erased).decode())
        return
    click.echo(
        f"erased {user_id}: {erased.inputs} inputs, {erased.records} records, "
        f"{erased.messages} messages, {erased.lines} lines of files, "
        f"{erased.quarantined} quarantined items"
    )
    if not erased.compacted:
        click.echo(
            "the database is too large to be written anew while it serves: copies of what went may "
            "be left in unused parts of its file. Stop the process, and erase him once more."
        )
    for backup in erased.backups:
        click.echo(f"may still hold him: {backup.path}")


@command.command(epilog="\b\nExample:\n  hairspring users token ada --data my-shop/data")
@user_argument("ID")
@data_option
@click.option("--for", "seconds", type=int, default=3600, show_default=True, help="Seconds.")
def token(*, user_id: str, data: Path, seconds: int) -> None:
    """Print a token that proves, for so long, that a browser is that user's.

    Through the running process, which has the key; a shop's own server makes such tokens itself.
    """
    import msgspec

    from engine.cli.running import Running, reach

    place = reach(data)
    if not isinstance(place, Running):
        place.release()
        raise HairspringError(
            f"no process serves from {data}",
            hint="start it: hairspring serve SHOP",
            code="users.nobody",
        )
    body = msgspec.json.encode({"expires_in": seconds})
    answer = msgspec.json.decode(place.ask("POST", "api", "users", user_id, "token", body=body))
    click.echo(answer["token"])


def at_rest(folder: DataFolder, database: str, work: Callable[[Store], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the work gives
    """Have something done with a database that no process has; gives the folder back.

    Erasures that a kill broke off come to their end first. Raises StoreError, HairspringError.
    """
    import asyncio

    from engine.cli.running import database_at_rest
    from engine.errors import HairspringError
    from engine.runtime.erasing import finish_erasures
    from engine.store import Store

    async def run(path: Path) -> Any:  # noqa: ANN401 - as above
        store = await Store.open(path)
        try:
            await finish_erasures(store, folder.path / "outbox")
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run(database_at_rest(folder.path, database)))
    except OSError as error:
        raise HairspringError(
            f"a file of the transport file cannot be used: {error}",
            hint="see that the data folder can be read and written and has room, and say it again",
            code="users.files",
        ) from error
    finally:
        folder.release()


async def _show(store: Store, user_id: str) -> bytes:
    import msgspec

    from engine.runtime.admin.dossier import told_state
    from engine.store.holdings import saved_state

    user = await saved_state(store, user_id)
    if user is None:
        raise unknown(user_id)
    return msgspec.json.encode(told_state(user))


async def _export(store: Store, data: Path, user_id: str) -> bytes:
    from engine.runtime.admin.dossier import export
    from engine.runtime.clock import wall_ms
    from engine.store.holdings import ids_of, is_held, saved_state

    if not await is_held(store, user_id):
        raise unknown(user_id)
    user, ids = await saved_state(store, user_id), await ids_of(store, user_id)
    pieces = export(store, data / "outbox", ids, user, made_at_ms=wall_ms())
    return b"".join([piece async for piece in pieces])


async def _erase(store: Store, data: Path, user_id: str) -> Any:  # noqa: ANN401 - imported late
    from engine.core.ids import digest
    from engine.runtime.clock import wall_ms
    from engine.runtime.erasing import erase_at_rest
    from engine.store.erasure import tombstones
    from engine.store.holdings import ids_of, is_held

    # Once more is not in vain: copies of what went may be left in a file that is large.
    if digest(user_id) not in await store.read(tombstones) and not await is_held(store, user_id):
        raise unknown(user_id)
    ids = await ids_of(store, user_id)
    return await erase_at_rest(store, data / "outbox", ids, wall_ms())


def unknown(user_id: str) -> Exception:
    """What is told of an id that nothing is held of."""
    from engine.errors import HairspringError

    return HairspringError(
        f"there is no user {user_id!r}",
        hint="ids are taken letter by letter; nothing of this one is held here",
        code="user.unknown",
    )


def _print(document: bytes) -> None:
    """As it is to a pipe or file; in lines of its own to a terminal."""
    import msgspec

    text = msgspec.json.format(document) if sys.stdout.isatty() else document
    click.echo(text.decode())
