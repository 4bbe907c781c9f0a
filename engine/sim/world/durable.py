"""The durable file as it grows, read through SQLite; and what it has let go of by age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from engine.core import ids
from engine.core.effects import Record
from engine.core.inputs import Input, InputErased, decode_inputs
from engine.core.state import NEVER
from engine.sim.world.consents import Consents
from engine.sim.world.disk import reader_of
from engine.sim.world.erased import Erased, named_by
from engine.sim.world.kin import Kin
from engine.sim.world.revivals import Revivals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import NoReturn, Protocol

    from engine.sim.world.disk import Disk

    class Blame(Protocol):
        """Says that a promise was broken."""

        def __call__(self, promise: str, seen: str) -> NoReturn:
            """Raise a Violation: which promise, and how it was broken."""
            ...


_decode_record = msgspec.json.Decoder(Record).decode

_JOURNAL: Final = "SELECT first_input, inputs FROM journal"
_REFUSED: Final = "SELECT body ->> 'message_id' FROM quarantine WHERE source = 'alias'"
_TOMBSTONES: Final = "SELECT digest, at_ms FROM tombstones"


class Held(NamedTuple):
    """What a copy of the file holds.

    Attributes:
        ids: Of each message id in its journal, the number of its input.
        first, last: The numbers of the first and the last input in its journal.
        last_record: The number of the last record that it had, which may be gone by age.
        rendered: Messages that have their bytes.
    """

    ids: dict[str, int]
    first: int
    last: int
    last_record: int
    rendered: set[str]


def what_holds(path: Path) -> Held:
    """Read a copy. O(its size)."""
    with reader_of(path) as connection:

        def ask(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        inputs = dict(_numbered(ask(_JOURNAL)))
        return Held(
            {said: number for number, one in inputs.items() if (said := _id_of(one))},
            min(inputs, default=1),
            max(inputs, default=0),
            ask("SELECT ifnull(max(value), 1) - 1 FROM meta WHERE name = 'next_record'")[0][0],
            {one for (one,) in ask("SELECT id FROM outbox WHERE rendered IS NOT NULL")},
        )


class Durable:
    """Of all lives of a process.

    Args:
        blame: Told of a promise that is broken, and how; it raises.
        keep_ms: How long what no start needs any more is kept.
        window_ms: How long a message id is known.

    Attributes:
        journal: The inputs that are durable, in order, or were until they were too old; input n is
            at n - 1.
        records: The records, by number, likewise.
        numbers: Of each message id in the journal, that of its input.
        kin: Who is whom by it.
        erased: Of whom nothing need be in it any more.
        consents: Who said no to what in it.
        revivals: Which dead letters were revived by it.
        refused: Message ids of aliases that were ever in its quarantine, and so are known.
        pruned: How many inputs and records were seen to be gone by age.
    """

    def __init__(self, disk: Disk, blame: Blame, keep_ms: int, window_ms: int) -> None:
        self.journal: list[Input] = []
        self.records: dict[int, Record] = {}
        self.numbers: dict[str, int] = {}
        self.kin = Kin()
        self.erased = Erased()
        self.consents = Consents()
        self.revivals = Revivals()
        self.refused: set[str] = set()
        self.pruned = 0
        self._disk = disk
        self._blame = blame
        self._keep_ms = keep_ms
        self._window_ms = window_ms
        self._memory: list[Input] = []
        self._is_looking = False
        self._last_at_ms = 0

    def see_opened(self) -> None:
        """A process has opened the file, and ends erasures next: know by its id what they take."""
        kin = Kin()
        there = list(_numbered(self.ask(f"{_JOURNAL} ORDER BY first_input")))
        pruned = self._pruned(min((number for number, _ in there), default=1))
        for number, happened in (*enumerate(pruned, start=1), *there):
            kin.see(number, happened)
            if message_id := _id_of(happened):
                self.numbers[message_id] = number
        self._see_tombstones(kin)

    def see_what_is_there(self, now_ms: int) -> None:
        """Read all of it anew: a process has ended what erasures were begun.

        `now_ms` is the last instant of which a process knew.
        """
        ((first,),) = self.ask("SELECT ifnull(min(first_input), 1) FROM journal")
        pruned = self._pruned(first)
        self._see_gone(pruned, now_ms)
        self.journal.clear()
        self.kin.begin()
        self.consents.begin()
        self.revivals.begin()
        before, self.numbers = self.numbers, {}
        self._last_at_ms = 0
        self._is_looking = True
        for happened in pruned:
            self._see_durable(happened)
        self.see_work_done()
        tombstones = dict(self.ask(_TOMBSTONES))
        self.erased.see_file(tombstones, before.keys() - self.numbers.keys())

    def _pruned(self, first: int) -> list[Input]:
        """What came before the first input that is left, but for what the erased have done."""
        if first > len(self._memory) + 1:
            self._blame("inputs are numbered without gaps", f"{first} after {len(self._memory)}")
        erased = dict(self.ask(_TOMBSTONES))
        return [_unless_erased(one, erased) for one in self._memory[: first - 1]]

    def _see_gone(self, pruned: list[Input], now_ms: int) -> None:
        """Of inputs and records that are not there any more, none may be that is to be kept."""
        erased = dict(self.ask(_TOMBSTONES))
        there = {
            number: _decode_record(record)
            for number, record in self.ask("SELECT number, record FROM records ORDER BY number")
        }
        first = min(there, default=NEVER)
        old = {
            number: one
            for number, one in self.records.items()
            if number < first and one.at_ms > erased.get(ids.digest(one.user_id), -1)
        }
        self.records = {**old, **there}
        self.pruned = max(self.pruned, len(pruned) + len(old))
        for one in (*pruned, *old.values()):
            if one.at_ms >= now_ms - self._keep_ms:
                self._blame("what is to be kept is", f"at {now_ms} there is no more {one}")

    def see_restored(self, held: Held, lost: Iterable[str]) -> None:
        """A backup stands in its place; `lost` are message ids that nobody will send again."""
        del self._memory[held.last :]
        self.records = {n: one for n, one in self.records.items() if n <= held.last_record}
        self.numbers = {one: n for one, n in self.numbers.items() if n < held.first} | held.ids
        self.kin.see_restored(held.last)
        self.erased.see_restored(held.last)
        self.erased.gone.update(lost)

    def see_end(self) -> None:
        """Nobody writes to it any more."""
        self._is_looking = False

    def see_work_done(self) -> None:
        """The disk has done something: read what is new."""
        if not self._is_looking or self._disk.connection is None:
            return
        self._see_tombstones(self.kin)
        self.refused.update(one for (one,) in self.ask(_REFUSED))
        rows = self.ask(
            "SELECT first_input, inputs_count, at_ms, inputs FROM journal "
            "WHERE first_input > ? ORDER BY first_input",
            len(self.journal),
        )
        for first, count, at_ms, lines in rows:
            inputs = decode_inputs(lines)
            if first != len(self.journal) + 1 or count != len(inputs):
                self._blame(
                    "inputs are numbered without gaps", f"{first} after {len(self.journal)}"
                )
            for happened in inputs:
                self._see_durable(happened)
            if at_ms < self._last_at_ms:
                self._blame("stamps never decrease", f"row {first}: {at_ms} < {self._last_at_ms}")
        newest = max(self.records, default=0)
        for number, record in self.ask(
            "SELECT number, record FROM records WHERE number > ?", newest
        ):
            self.records[number] = _decode_record(record)

    def ask(self, sql: str, *parameters: object) -> list[Any]:
        """What a question to the file is answered with."""
        connection = self._disk.connection
        assert connection is not None
        return connection.quietly(sql, parameters)

    def meta(self, name: str) -> bytes:
        """What is in the file under a name; b"" for nothing."""
        rows = self.ask("SELECT CAST(value AS BLOB) FROM meta WHERE name = ?", name)
        return bytes(rows[0][0]) if rows else b""

    def _see_tombstones(self, kin: Kin) -> None:
        for (user_id,) in self.ask("SELECT user_id FROM tombstones WHERE user_id IS NOT NULL"):
            for one in (user_id, *kin.ids_of(kin.bearer(user_id))):
                self.erased.see_begun(one)

    def _see_durable(self, happened: Input) -> None:
        if happened.at_ms < self._last_at_ms:
            self._blame(
                "stamps never decrease",
                f"input {len(self.journal) + 1}: {happened.at_ms} < {self._last_at_ms}",
            )
        self._last_at_ms = happened.at_ms
        self.journal.append(happened)
        number = len(self.journal)
        if number > len(self._memory):
            self._memory.append(happened)
        erased = self.kin.see(number, happened)
        self.consents.see(happened, self.kin, erased)
        self.revivals.see(happened, self.kin, erased)
        if erased:
            self.erased.see_durable(number, happened.at_ms, erased, self.numbers)
        if self.erased.bygone(number, happened):
            self._blame("nothing is taken of before an erasure", f"input {number}: {happened}")
        if message_id := _id_of(happened):
            known = self.numbers.get(message_id)
            if known and happened.at_ms - self.journal[known - 1].at_ms < self._window_ms:
                self._blame("a message id is taken once", message_id)
            self.numbers[message_id] = number


def _numbered(rows: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Input]]:
    for first, lines in rows:
        yield from enumerate(decode_inputs(lines), start=first)


def _id_of(happened: Input) -> str:
    """Its message id; "" for none."""
    message_id: str = getattr(happened, "message_id", "")
    return message_id


def _unless_erased(happened: Input, erased: Mapping[str, int]) -> Input:
    """An input as an erasure leaves it of somebody whom it names."""
    for user_id in named_by(happened):
        if happened.at_ms <= erased.get(ids.digest(user_id), -1):
            return InputErased(happened.at_ms)
    return happened
