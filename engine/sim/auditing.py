"""`hairspring audit`, without a terminal: what of archive, state and outbox does not fit together.

Two things are held against each other. What the database says of itself in two places
(`engine/store/auditing.py`): rows and what is in them, the index and what it leads to, messages and
who waits for them. And what its state is against what it would be: the archive is replayed from its
floor, and each user's state and records must come out as they are stored, byte for byte.
"""

from __future__ import annotations

import tempfile
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.instants import format_instant
from engine.core.state import NEVER, first_due_at_ms
from engine.errors import StoreError
from engine.runtime.restart import bring_back
from engine.sim.exported import JournalUnreadable, decode_lines
from engine.sim.exporting import export, newest_shop
from engine.sim.replaying import Replay
from engine.store import auditing, journal
from engine.store.auditing import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.core.state import User
    from engine.store import Store

_PASSES: Final = 3
"""Times that inputs are gone through: looked at, exported, replayed."""


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
    """Ask everything. O(size of the database), users in memory twice.

    Args:
        store: Open; nothing else writes it.
        told: Hears how far it is, of how far it goes.
    """
    first, last = await store.read(journal.bounds)
    total = max(_PASSES * (last - first + 1), 1)
    findings: list[Finding] = []
    for check in (
        auditing.pages,
        partial(auditing.journal, told=lambda number: told(number - first, total)),
        partial(auditing.index, kind="journal"),
        partial(auditing.index, kind="records"),
        auditing.records,
        auditing.states,
        auditing.rest,
    ):
        findings += await store.read(check)
    notes: list[str] = []
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
    pending = {one: user.user_id for user in processor.users.values() for one in user.pending}
    findings += await store.read(partial(auditing.outbox, find=processor.find, pending=pending))
    for user in processor.users.values():
        findings += _deadlines(user)
    inputs = records = 0
    try:
        replay = await _replayed(store, lambda done: told(last - first + done, total))
        found = replay.comparison
        inputs, records = found.inputs, found.records
        findings += _differences(replay)
    except JournalUnreadable as error:
        notes.append(f"nothing was replayed: {error.message}")
    except msgspec.MsgspecError as error:
        notes.append(f"nothing was replayed, for a row that cannot be read: {error}")
    users = len(processor.users)
    return Audit(sorted(findings), notes, users, inputs, records, len(pending))


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


async def _replayed(store: Store, told: Callable[[int], None]) -> Replay:
    """The archive from its floor on, run again and compared with what is stored.

    Raises JournalUnreadable, StoreError.
    """
    counted = 0

    def exported(done: int, _total: int) -> None:
        nonlocal counted
        counted = done
        told(done)

    with tempfile.TemporaryFile(dir=store.path.parent) as file:
        await export(store, file.write, exported)
        file.seek(0)
        replay = Replay(lambda done: told(counted + done))
        for _ in replay.run(decode_lines(file, "the archive")):
            pass
    return replay


def _differences(replay: Replay) -> Iterator[Finding]:
    for user_id, why in sorted(replay.differences.items()):
        yield Finding("replay", repr(user_id), why)
