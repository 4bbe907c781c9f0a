"""Another plan comes into force once what it asks of the past was found in the archive.

Theory of operation. A plan that asks for nothing that is not kept already is in force at once. For
one that asks for more, four things happen, each by journaled inputs, so that a replay needs no
archive. It is announced: from that input on, what it asks for is kept beside what was kept. The
journal is read through, a slice at a time between commits, and what it has of each user gathered,
by the means by which it would have been kept. Each user gets that in the place of what he has
(`HistoryFound`), at an instant at which all his inputs have been read: so each event counts once,
and none is missing. Then the plan comes into force, and everybody takes it on with the past that it
asks for: what is true already is known to be, and no condition was ever asked of half a past.

Until then the plan before goes on, with all its deadlines. A process that ends in between begins
anew at the next start: what is found twice is the same.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import structlog

from engine.core.inputs import HistoryFound
from engine.core.past.coming import gap
from engine.core.past.found import encode_found
from engine.failpoints import come_to
from engine.store.gathering import HELD_BYTES_MAX, SHARDS, Gathering

if TYPE_CHECKING:
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.store import Store

FOUND_A_COMMIT: Final = 128
"""Users who get what was found of them in one go: up to some milliseconds."""

ROUNDS: Final = 3
"""How often is waited for somebody of whom something comes again and again, before what comes has
to wait for him."""

_log = structlog.get_logger("hairspring")


class Filling:
    """Finds the past that plans ask for; the newest that is asked for wins.

    Args:
        store: Whose journal the processor's inputs are in.
        bytes_max: What is held of what was found, by and large.
    """

    def __init__(
        self,
        store: Store,
        shell: Shell,
        processor: Processor,
        bytes_max: int = HELD_BYTES_MAX,
    ) -> None:
        self._store = store
        self._shell = shell
        self._processor = processor
        self._bytes_max = bytes_max
        self._asked = 0

    def needs(self, plan: Plan) -> bool:
        """Whether a plan asks for anything of the past that is not kept. O(names)."""
        return bool(self._processor.users and gap(self._processor.plans.bare, plan))

    def forget(self) -> None:
        """Whatever plan is prepared now is not to come into force any more."""
        self._asked += 1

    async def prepare(self, plan: Plan, content: bytes) -> bool:
        """Find all that a plan asks for, which may come into force then; False: another one may.

        The shell runs meanwhile. Raises StoreError, Unavailable.
        """
        self.forget()
        asked = self._asked
        processor, shell = self._processor, self._shell
        # All that is due fires before the announcement, in one go: not many, in no herd's midst.
        await shell.in_time()
        if asked != self._asked:
            return False
        lacking = gap(processor.plans.bare, plan)
        began_at_ms = processor.now_ms
        shell.announce(plan, content)
        widened, announced_at_ms = processor.plan, processor.now_ms
        await shell.durable()
        handing = Handing(shell, processor, began_at_ms)
        shard = 0
        missed: set[str] = set()
        only: set[str] | None = None
        while shard < SHARDS and asked == self._asked:
            gathering = Gathering(
                widened, lacking, announced_at_ms, shard, self._bytes_max,
                processor.aliases.of, only,
            )  # fmt: skip
            while asked == self._asked and await self._read(gathering):
                pass
            await self._hand_out(gathering, handing, asked)
            shard, missed = gathering.end_shard, missed | gathering.missed
            if shard == SHARDS and missed:  # some are more than they were when they were told
                shard, only, missed = 0, missed, set()
        if asked == self._asked:
            _log.info("history.found", users=handing.count, events=sorted(lacking.names))
        return asked == self._asked

    async def _read(self, gathering: Gathering) -> bool:
        more = await self._store.read(gathering.read_some)
        come_to("in-finding")
        return more

    async def _hand_out(self, gathering: Gathering, handing: Handing, asked: int) -> None:
        """Have everybody get what was found of him."""
        shell = self._shell
        rounds = 0
        try:
            while asked == self._asked:
                again: list[tuple[str, User]] = []
                found = gathering.found()
                while asked == self._asked and (some := list(islice(found, FOUND_A_COMMIT))):
                    again += [one for one in some if not handing.hand(gathering, *one)]
                    come_to("in-finding")
                    if not shell.is_holding:
                        await shell.durable()
                if not again:
                    return
                # Of these something came meanwhile, which is to be read first.
                rounds += 1
                shell.is_holding = rounds >= ROUNDS
                for user_id, one in again:
                    gathering.put_back(user_id, one)
                await shell.durable()
                while await self._read(gathering):
                    pass
        finally:
            shell.is_holding = False


class Handing:
    """Has users get what was found of them.

    Args:
        began_at_ms: When the journal began to be read: who was erased since has no past.

    Attributes:
        count: How many got something that they had not.
    """

    def __init__(self, shell: Shell, processor: Processor, began_at_ms: int) -> None:
        self.count = 0
        self._shell = shell
        self._processor = processor
        self._began_at_ms = began_at_ms

    def hand(self, gathering: Gathering, user_id: str, found: User) -> bool:
        """Have one user get it; False where something came of him that was not read yet."""
        processor = self._processor
        user = processor.find(user_id)
        if user is None or processor.tombstones.erased_at_ms(user_id) >= self._began_at_ms:
            return True
        if user.seen >= gathering.behind:
            return False
        gathering.complete(found, user, processor.now_ms)
        encoded = encode_found(found, user)
        if encoded:
            self._shell.find(HistoryFound(user.user_id, encoded))
            self.count += 1
        return True
