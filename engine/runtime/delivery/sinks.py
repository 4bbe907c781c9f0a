"""Records streamed out to a CRM or a file: `[sinks]`.

Each sink has a task and a position of its own, the number of the last record that it has taken,
which is stored behind each batch: so a record is handed over at least once, after a restart too,
and bears an `id` by which a second copy is known. Records are read from the database as they are
wanted; nothing waits for a sink, and one that is down is as far behind as `events.keep` goes back.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from yarl import URL

from channels.backoff import retry_delay_ms
from channels.base import Accepted, Retry
from channels.lines import LineLog
from channels.posting import Answer, Poster, judge
from channels.signing import signature, signing_key
from engine.core.effects import Record
from engine.core.reports.records import record_line
from engine.errors import ServeError
from engine.runtime.again import until_committed
from engine.store import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from config.sinks import SinkSettings
    from engine.runtime.metrics import Metrics
    from engine.store import Store

FOLDER: Final = "sinks"
"""In the data folder: files of sinks."""

KEPT_EVERY: Final = 5_000
"""Records passed over, none of which a sink wants, before its position is stored all the same."""

_REFUSED: Final = frozenset({400, 413, 422})
"""Answers that may be about one record: then the batch is halved, down to that one."""

_log = structlog.get_logger("hairspring.sinks")
_decode = msgspec.json.Decoder(Record).decode


class _Refused(Exception):  # noqa: N818 - an answer
    """The sink does not want these records, be they sent again."""


class Sinks:
    """All sinks of a shop.

    Args:
        chosen: By name.
        data: The data folder.
        wall_ms: The wall clock, for signatures.
        jitter: Draws from [0, 1).

    Raises:
        ServeError: A `ca_file` cannot be read.
    """

    def __init__(
        self,
        chosen: Mapping[str, SinkSettings],
        *,
        store: Store,
        data: Path,
        wall_ms: Callable[[], int],
        jitter: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._jitter = jitter
        self._metrics = metrics
        self._folder = data / FOLDER
        self._files = asyncio.Lock()
        self._sinks: dict[str, _Webhook | _File] = {
            name: _Webhook(name, one, wall_ms)
            if one.kind == "webhook"
            else _File(one, self._folder, name, self._files)
            for name, one in chosen.items()
        }
        self._chosen = chosen
        self._news = {name: asyncio.Event() for name in chosen}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin where each was; before anything happens that a new one is to have.

        Raises StoreError, CommitFailed.
        """
        begun = [(name, await self._begin(name)) for name in self._sinks]
        self._tasks = [asyncio.create_task(self._run(name, position)) for name, position in begun]

    def released(self) -> None:
        """There may be new records. O(sinks)."""
        for news in self._news.values():
            news.set()

    async def stop(self) -> None:
        """Hand over no more; what is under way is handed over again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sink in self._sinks.values():
            await sink.aclose()

    async def forget(self, user_id: str) -> int:
        """Take a user out of the files; the number of lines taken out. Raises OSError."""
        async with self._files:
            return await asyncio.to_thread(forget_in_files, self._folder.parent, user_id)

    async def _run(self, name: str, position: int) -> None:
        try:
            await self._stream(name, position)
        except Exception:  # noqa: BLE001 - a sink that breaks ends nobody else's work
            hint = "it goes on after the next start; please report this"
            _log.exception("sink.broke", sink=name, hint=hint)

    async def _stream(self, name: str, position: int) -> None:
        stored = position
        while True:
            self._news[name].clear()
            rows = await self._store.read(
                partial(streaming.records, after=position, limit=self._chosen[name].batch)
            )
            if not rows:
                await self._news[name].wait()
                continue
            lines = self._wanted(name, rows)
            if lines:
                await self._hand_over(name, lines)
            position = rows[-1][0]
            if lines or position - stored >= KEPT_EVERY:
                await self._keep(name, position)
                stored = position

    def _wanted(self, name: str, rows: list[tuple[int, bytes]]) -> dict[str, bytes]:
        chosen = self._chosen[name]
        lines: dict[str, bytes] = {}
        for number, raw in rows:
            record = _decode(raw)
            if chosen.kinds and record.kind not in chosen.kinds:
                continue
            if chosen.campaigns and record.campaign not in chosen.campaigns:
                continue
            lines[str(number)] = b'{"id":"%d",' % number + record_line(record)[1:]
        return lines

    async def _hand_over(self, name: str, lines: dict[str, bytes]) -> None:
        """Hand records over, again and again until they are taken, or refused one by one."""
        sink, attempt = self._sinks[name], 0
        while True:
            attempt += 1
            try:
                outcome = await sink.take(lines)
            except _Refused as refused:
                if len(lines) > 1:
                    places = list(lines.items())
                    half = len(places) // 2
                    await self._hand_over(name, dict(places[:half]))
                    await self._hand_over(name, dict(places[half:]))
                    return
                self._metrics.sinks.labels(name, "refused").inc()
                _log.error("sink.refused", sink=name, id=next(iter(lines)), reason=str(refused))
                return
            if isinstance(outcome, Accepted):
                self._metrics.sinks.labels(name, "taken").inc(len(lines))
                return
            self._metrics.sinks.labels(name, "retry").inc()
            delay_ms = retry_delay_ms(attempt, after_ms=outcome.after_ms, jitter=self._jitter())
            _log.warning("sink.waits", sink=name, reason=outcome.reason, pause_ms=delay_ms)
            await asyncio.sleep(delay_ms / 1000)

    async def _begin(self, name: str) -> int:
        """Where a sink was; a new one begins with what happens from now on."""
        position = await self._store.read(partial(streaming.position, sink=name))
        if position is None:
            position = await self._store.read(streaming.newest)
            await self._keep(name, position)
        return position

    async def _keep(self, name: str, position: int) -> None:
        work = partial(streaming.keep_position, sink=name, number=position)
        await until_committed(partial(self._store.transact, work))


class _Webhook:
    def __init__(self, name: str, chosen: SinkSettings, wall_ms: Callable[[], int]) -> None:
        self._name = name
        self._url = URL(chosen.url)
        self._wall_ms = wall_ms
        self._key = signing_key(chosen.secret) if chosen.secret else None
        try:
            self._poster = Poster(
                connections=1, timeout_ms=chosen.timeout_ms, ca_file=chosen.ca_file
            )
        except OSError as error:
            raise ServeError(
                f"sinks.{name}.ca_file cannot be used: {error}",
                hint="a PEM file with the authorities to trust",
                code="serve.sink",
            ) from error

    async def take(self, lines: dict[str, bytes]) -> Accepted | Retry:
        records = b",".join(line.rstrip() for line in lines.values())
        body = b'{"type":"records","data":{"records":[' + records + b"]}}"
        first, last = next(iter(lines)), next(reversed(lines))
        key = f"{self._name}_{first}_{last}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._key is not None:
            timestamp = self._wall_ms() // 1000
            headers["webhook-id"] = key
            headers["webhook-timestamp"] = str(timestamp)
            headers["webhook-signature"] = signature(self._key, key, timestamp, body)
        answer = await self._poster.post(self._url, body, headers, is_trusted=True)
        if not isinstance(answer, Answer):
            return answer if isinstance(answer, Retry) else Retry(answer.reason)
        if answer.status in _REFUSED:
            raise _Refused(f"{answer.name} answered {answer.status}")
        outcome = judge(answer.status, answer.headers, answer.name)
        # A wrong address or key is mended by a person: nothing is passed over meanwhile.
        return outcome if isinstance(outcome, Accepted | Retry) else Retry(outcome.reason)

    async def aclose(self) -> None:
        await self._poster.aclose()


class _File:
    def __init__(self, chosen: SinkSettings, folder: Path, name: str, files: asyncio.Lock) -> None:
        self._log = LineLog(folder / f"{name}.ndjson")
        self._rotate_bytes = chosen.rotate_bytes
        self._kept = chosen.files
        self._files = files

    async def take(self, lines: dict[str, bytes]) -> Accepted | Retry:
        async with self._files:
            try:
                await asyncio.to_thread(self._append, lines)
            except OSError as error:
                return Retry(f"{self._log.path} cannot be written: {error.strerror}")
        return Accepted()

    def _append(self, lines: dict[str, bytes]) -> None:
        path = self._log.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = {number: line for number, line in lines.items() if not self._log.has(number)}
        if path.exists() and path.stat().st_size >= self._rotate_bytes:
            first = next(iter(lines))
            path.rename(path.with_name(f"{path.stem}.{int(first):015d}.ndjson"))
            aside = sorted(path.parent.glob(f"{path.stem}.{'[0-9]' * 15}.ndjson"))
            for old in aside[: -self._kept]:
                old.unlink()
        self._log.append(fresh)

    async def aclose(self) -> None:
        pass


def forget_in_files(data: Path, user_id: str) -> int:
    """Take a user out of the files of sinks; the number of lines taken out. O(their size).

    Raises:
        OSError: A file cannot be read or replaced.
    """
    paths = sorted((data / FOLDER).glob("*.ndjson"))
    return sum(len(LineLog(path).without(user_id)) for path in paths)
