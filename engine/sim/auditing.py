"""`hairspring audit`, without a terminal: what of archive, state and outbox does not fit together.

Three things are held against each other. What the database says of itself in two places
(`engine/store/auditing.py`): rows and what is in them, the index and what it leads to, messages and
who waits for them. What its state is against what it would be: the archive is replayed from its
floor, and each user's state and records must come out as they are stored, byte for byte; and so
from each floor that was made since, which replays will begin from. And what was counted of
campaigns against their records (`recounting`).
"""

from __future__ import annotations

import tempfile
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.instants import format_instant
from engine.core.messages.waiting import by_id
from engine.core.state import NEVER, first_due_at_ms
from engine.errors import StoreError
from engine.runtime.restart import bring_back
from engine.sim.exported import JournalUnreadable, decode_lines
from engine.sim.exporting import beginning_of, export, newest_shop
from engine.sim.recounting import recount
from engine.sim.replaying import Replay
from engine.store import auditing, journal
from engine.store.auditing import FOUND_MAX, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config import Shop
    from engine.core.state import User
    from engine.runtime.processor import Processor
    from engine.sim.replaying import Comparison
    from engine.store import Store


_STEPS: Final = 1_000
"""In which it is told how far it is."""

_ROWS_SHARE: Final = 0.2
"""Of the time, what reading the rows takes: the rest are replays."""


class Audit(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        findings: What does not fit, in order of part and subject; [] where everything does.
        notes: What could not be asked, and why.
        users: Users there are.
        inputs: Inputs that were replayed.
        records: Records that were compared.
        messages: Messages under way.
    """

    findings: list[Finding]
    notes: list[str]
    users: int = 0
    inputs: int = 0
    records: int = 0
    messages: int = 0


async def audit(store: Store, told: Callable[[int, int], None]) -> Audit:
    """Ask everything. O(size of the database); in memory users once, and 16 bytes a record.

    Args:
        store: Open; nothing else writes it.
        told: Hears how far it is, of how far it goes.
    """
    notes: list[str] = []
    findings = await _by_itself(store, lambda share: _tell(told, share * _ROWS_SHARE))
    try:
        recovered = await store.recover(0, 0)
        shop = newest_shop(recovered)
        processor, _ = bring_back(shop, recovered)
    except JournalUnreadable as error:
        notes.append(f"nothing was replayed: {error.message}")
        return Audit(sorted(findings), notes)
    except StoreError as error:
        findings.append(Finding("users", "database", error.message))
        return Audit(sorted({*findings}), notes)
    messages = await _follow(store, shop, processor, recovered.last_at_ms, findings)
    users = len(processor.users)
    del processor
    inputs = records = 0
    try:
        start = await beginning_of(store, shop, recovered)
        del recovered  # everybody's saved state: the replay has them anew
        comparisons = _Comparisons(
            store, lambda share: _tell(told, _ROWS_SHARE + share * (1 - _ROWS_SHARE))
        )
        found = await comparisons.make(start)
        inputs, records = found.inputs, found.records
        findings += comparisons.findings
    except JournalUnreadable as error:
        notes.append(f"nothing was replayed: {error.message}")
    except msgspec.MsgspecError as error:
        notes.append(f"nothing was replayed, for a row that cannot be read: {error}")
    _tell(told, 1)
    return Audit(sorted(findings), notes, users, inputs, records, messages)


def _tell(told: Callable[[int, int], None], share: float) -> None:
    told(round(share * _STEPS), _STEPS)


async def _by_itself(store: Store, told: Callable[[float], None]) -> list[Finding]:
    """What rows say of each other. `told` hears which share of the checks is done."""
    first, last = await store.read(journal.bounds)
    inputs = max(last - first + 1, 1)
    place = 0
    checks: tuple[Callable[..., list[Finding]], ...] = (
        auditing.pages,
        partial(
            auditing.journal,
            told=lambda number: told((place + min((number - first) / inputs, 1)) / len(checks)),
        ),
        partial(auditing.index, kind="journal"),
        partial(auditing.index, kind="records"),
        auditing.records,
        auditing.states,
        auditing.floors,
        auditing.rest,
    )
    findings: list[Finding] = []
    for place, check in enumerate(checks):
        findings += await store.read(check)
        told((place + 1) / len(checks))
    return findings


async def _follow(
    store: Store, shop: Shop, processor: Processor, last_at_ms: int, findings: list[Finding]
) -> int:
    """Tell what does not fit with everybody's state as a restart has it; messages under way."""
    everybody = processor.users.values()
    pending = {effect_id: one.user_id for one in everybody for effect_id in by_id(one.pending)}
    findings += await store.read(partial(auditing.outbox, find=processor.find, pending=pending))
    for user in everybody:
        findings += _deadlines(user)
    keep_ms = shop.settings.events.keep_ms
    findings += await recount(store, processor.plan, keep_ms, last_at_ms)
    return len(pending)


def _deadlines(user: User) -> Iterator[Finding]:
    """Whether a user is looked at when something of his is due, and for nothing else."""
    due_at_ms = max(first_due_at_ms(user), user.held_until_ms)
    if due_at_ms >= NEVER and user.due_at_ms >= NEVER:
        return
    if user.due_at_ms != due_at_ms:
        told = f"is awaited {_instant(user.due_at_ms)}, and due {_instant(due_at_ms)}"
        yield Finding("deadlines", repr(user.user_id), told)


def _instant(at_ms: int) -> str:
    return "never" if at_ms >= NEVER else format_instant(at_ms)


class _Comparisons:
    """The archive, run again from wherever it can be, and compared with what is stored.

    Args:
        told: Hears which share of it is done.

    Attributes:
        findings: What differs.
    """

    def __init__(self, store: Store, told: Callable[[float], None]) -> None:
        self.findings: list[Finding] = []
        self._store = store
        self._told = told

    async def make(self, start: journal.Beginning | None) -> Comparison:
        """From its floor on, and then from each later one; how the first compares.

        What differs by a later floor alone is told of that floor. Raises JournalUnreadable,
        StoreError, MsgspecError.
        """
        later = await self._later(start)
        starts = [start, *later]
        differing: set[str] = set()
        first: Comparison | None = None
        for place, one in enumerate(starts):
            found, differences = await self._replayed(one, place / len(starts), 1 / len(starts))
            first = first or found
            part, since = "replay", ""
            if place and one is not None:
                part, since = "floors", f"from the state of {format_instant(one.exact_from_ms)} on "
            fresh = sorted(differences.keys() - differing)
            self.findings += [
                Finding(part, repr(user_id), since + differences[user_id])
                for user_id in fresh[:FOUND_MAX]
            ]
            more = len(fresh) - FOUND_MAX
            if more > 0:
                told = f"{since}{more:,} users differ beyond the first {FOUND_MAX}"
                self.findings.append(Finding(part, "and more", told))
            differing.update(differences)
        assert first is not None
        return first

    async def _later(self, start: journal.Beginning | None) -> list[journal.Beginning]:
        if start is None:
            return []
        return await self._store.read(partial(journal.later_beginnings, first=start))

    async def _replayed(
        self, start: journal.Beginning | None, done: float, share: float
    ) -> tuple[Comparison, dict[str, str]]:
        """How it compares, and in what, by user. Its users go before the next one has its own.

        Raises JournalUnreadable, StoreError.
        """
        count = 1

        def exported(number: int, total: int) -> None:
            nonlocal count
            count = max(total, 1)
            self._told(done + share / 2 * number / count)

        with tempfile.TemporaryFile(dir=self._store.path.parent) as file:
            await export(self._store, file.write, exported, start)
            file.seek(0)
            half = done + share / 2
            replay = Replay(lambda number: self._told(half + share / 2 * number / count))
            for _ in replay.run(decode_lines(file, "the archive")):
                pass
        return replay.comparison, replay.differences
