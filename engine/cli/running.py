"""Operating commands reach the state through the process that runs, or else the folder itself.

Every such command names a data folder (`--data`). `reach` takes it where nobody has it, and the
command then works on its files under the lock. Where a process serves from it, the folder says
where that one's admin port answers and what admits there, and the command asks it instead: two
writers of one database there never are.
"""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import click
import msgspec

from engine.errors import HairspringError, StoreError
from engine.runtime.logs import set_up_logs
from engine.store import DataFolder, holder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

_T = TypeVar("_T")

ANSWER_WITHIN_S: Final = 60.0
"""How long a running process may say nothing; long work tells how it comes along."""

_OK: Final = 200

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    envvar="HAIRSPRING_DATA",
    show_envvar=True,
    help="The data folder of the process, or of the one that ran last.",
)
"""`--data DIR` of every operating command."""


def _user_id(_ctx: click.Context, _param: click.Parameter, said: str) -> str:
    if not said:
        raise click.BadParameter("an id is not empty")
    return said


def user_argument(metavar: str) -> Callable[[Any], Any]:
    """The argument of commands that are about one user."""
    return click.argument("user_id", metavar=metavar, callback=_user_id)


data_or_shops_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="HAIRSPRING_DATA",
    show_envvar=True,
    help="The data folder.  [default: SHOP/data]",
)
"""`--data DIR` of those that are given the shop, too."""

always_json_option = click.option(
    "--json", is_flag=True, expose_value=False, help="As it is anyhow: the answer is JSON."
)
"""`--json` of commands that print nothing else: whoever says it everywhere may."""

database_option = click.option(
    "--database",
    default="hairspring.db",
    show_default=True,
    metavar="NAME",
    help="The database in the data folder, where [storage] file has another name; asked for only "
    "while no process runs.",
)
"""`--database NAME` of those that work on the folder themselves where no process runs."""


class Refused(HairspringError):  # noqa: N818 - an answer more than an error
    """The running process said no, or could not be asked."""

    code = "running"


class Running(msgspec.Struct, frozen=True):
    """A process that serves from a data folder.

    Attributes:
        pid: Its number.
        url: Its admin port.
        token: What admits there.
    """

    pid: str
    url: str
    token: str

    def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """The body of one answer. `path` is made of parts, each quoted: `"api", "users", "a/b"`.

        Raises Refused.
        """
        with _Call(self, method, path, body, query) as call:
            return call.read()

    def stream(self, *path: str, query: Sequence[tuple[str, str]]) -> Iterator[bytes]:
        """The body of one answer to GET, in pieces as it comes. Raises Refused."""
        with _Call(self, "GET", path, None, query) as call:
            yield from call.lines()

    def follow(
        self,
        method: str,
        *path: str,
        body: bytes | None = None,
        form: type[_T],
        on_progress: Callable[[int, int], None],
    ) -> _T:
        """Have long work done: the answer is lines, of which the last one is the result, a `form`.

        `on_progress` is told (done, total), in whatever unit. Raises Refused.
        """
        with _Call(self, method, path, body, accept="application/x-ndjson") as call:
            for line in call.lines():
                told = msgspec.json.decode(line)
                if "error" in told:
                    error = told["error"]
                    raise Refused(error["message"], hint=error["hint"], code=error["code"])
                if "result" in told:
                    return msgspec.convert(told["result"], form)
                on_progress(told["done"], told["total"])
        raise Refused("the process ended before it was done", hint="look at its log")


def reach(data: Path, *, may_make: bool = False) -> Running | DataFolder:
    """The process that serves from a data folder; else the folder, locked: release it.

    Raises StoreError where there is none (unless it `may_make` one), it cannot be used, or whoever
    has it cannot be asked.
    """
    # Work at rest logs as a process does: to standard error, and only what needs a person.
    set_up_logs(as_json=False, verbose=False, quiet=True)
    if not may_make and not data.is_dir():
        raise StoreError(
            f"there is no data folder {data}",
            hint="name the one that `serve` was given with --data (its default: SHOP/data)",
            code="store.folder",
        )
    try:
        return DataFolder.take(data)
    except StoreError as error:
        if error.code != "store.in_use":
            raise
    holder = holder_of(data)
    if not holder.url:
        raise StoreError(
            f"the data folder {data} is in use by a process that cannot be asked"
            + (f" (pid {holder.pid})" if holder.pid else ""),
            hint="it is starting, or is another command at work: try again in a moment",
            code="store.in_use",
        )
    return Running(holder.pid, holder.url, holder.token)


def reach_running(data: Path, what: str) -> Running:
    """The process that serves from a data folder, for `what` nobody else can do.

    Raises StoreError as `reach` does, and HairspringError where there is no such process.
    """
    place = reach(data)
    if isinstance(place, Running):
        return place
    place.release()
    raise HairspringError(
        f"no process serves from {data}",
        hint=f"{what} in a running one: hairspring serve SHOP",
        code="process.none",
    )


def database_at_rest(data: Path, database: str) -> Path:
    """The database of a folder that is locked. Raises StoreError where there is none."""
    path = data / database
    if not path.exists():
        raise StoreError(
            f"there is no database {path}",
            hint="name it with --database, as [storage] file has it",
            code="store.nothing",
        )
    return path


class _Call:
    """One request, and its answer where that is a yes."""

    def __init__(
        self,
        running: Running,
        method: str,
        path: tuple[str, ...],
        body: bytes | None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        *,
        accept: str = "*/*",
    ) -> None:
        target = "".join(f"/{quote(part, safe='')}" for part in path)
        if query:
            target += f"?{urlencode(query)}"
        self._running = running
        self._request = (method, target, body)
        self._accept = accept
        address = urlsplit(running.url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=ANSWER_WITHIN_S
        )

    def __enter__(self) -> Self:
        method, target, body = self._request
        headers = {"Authorization": f"Bearer {self._running.token}", "Accept": self._accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, target, body=body, headers=headers)
            self._answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise self._broken(error) from error
        if self._answer.status != _OK:
            refused = _refused(self._answer)
            self._connection.close()
            raise refused
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def read(self) -> bytes:
        try:
            return self._answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error

    def lines(self) -> Iterator[bytes]:
        try:
            while line := self._answer.readline():
                yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> Refused:
        return Refused(
            f"the process {self._running.pid} does not answer on {self._running.url}: {error}",
            hint="look at its log; it may be stopping",
        )


def _refused(answer: http.client.HTTPResponse) -> Refused:
    try:
        said = msgspec.json.decode(answer.read())
        return Refused(said["detail"], hint=said.get("hint", ""), code=said["code"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return Refused(
            f"the process answered {answer.status} {answer.reason}", hint="look at its log"
        )
