"""Whom a commit saves, and where: in the user log, or in a row of his own.

A user's row is a page of its own to write, wherever it lies. So whoever is saved goes to the *user
log* first, one row a commit with all their states: whoever has an effect, with that commit; the
others a few with every commit, those first that have waited longest. From the log they go to their
rows, a few with every commit, the oldest first: a user who is seen often is written once for many
times that he was logged. A restart reads the rows, then the log over them, then replays what users
have seen since they were saved (durability.md, rule 4). Log-structured merging, as in O'Neil et
al., "The Log-Structured Merge-Tree" (1996), with one level.

Both waits are bounded: from three quarters on, a commit takes the more of them the fuller they are.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from engine.core.state import encode_user
from engine.store import user_log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from engine.core.state import User
    from engine.store.batch import UserLog

WAITING_A_COMMIT: Final = 2
"""How many go with a commit from a replay to the log, and from the log to their rows.

One more than the users that a commit of a single input adds, so that both waits grow shorter under
light load.
"""

LOG_BYTES_MAX: Final = 32 << 20
"""States in the log; past it, they are written to their rows at once."""

LOGGED_MAX: Final = 40_000
"""States in the log, likewise: the table of whose they are stands still for 1.5 ms as it grows to
that, for 3 ms at the next step and 7 ms at the one after."""

STATE_LOGGED_MAX: Final = 4_096
"""Bytes; a larger state goes to its row at once: it has pages of its own anyhow."""


class Saves:
    """What one commit saves.

    Attributes:
        rows: (user id, state): written to the users' rows.
        states: Written to the user log.
        marks: Likewise: whose `rows` are newer than what the log has of them (`user_log.mark`).
        replay_from: Number of the first input that a replay needs from now on.
        log_from: The first batch whose row of the user log is needed from now on.
    """

    __slots__ = ("log_from", "marks", "replay_from", "rows", "states")

    def __init__(self) -> None:
        self.rows: list[tuple[str, bytes]] = []
        self.states: list[bytes] = []
        self.marks: list[bytes] = []
        self.replay_from = 0
        self.log_from = 0


class Saving:
    """Keeps in mind whose row is behind.

    Args:
        users: By id.
        max_replay: How many inputs a restart replays at most.
        log: What the last run left in the user log.

    Attributes:
        unsaved: Those who have seen inputs that are in no saved state, with the first such input;
            longest ago first. Each of them says so himself (`User.unsaved`): the owner asks that
            with each input, and this table would have to be found in memory.
    """

    def __init__(
        self, users: Mapping[str, User], max_replay: int, log: UserLog | None = None
    ) -> None:
        self.unsaved: dict[str, int] = {}
        self._find = users.get
        self._max_replay = max_replay
        # Those whose newest saved state is in the log, with its batch; longest ago first.
        self._logged: dict[str, int] = dict(log.users) if log else {}
        self._sizes: deque[tuple[int, int]] = deque(log.sizes if log else ())
        self._bytes = sum(size for _, size in self._sizes)

    def choose(
        self, number: int, touched: Collection[str], inputs_count: int, next_input: int
    ) -> Saves:
        """Whom batch `number` saves: everyone `touched`, and some of those who wait.

        O(touched + inputs), and what `max_replay` asks for.
        """
        saves = Saves()
        unsaved, logged = self.unsaved, self._logged
        saved = dict.fromkeys(touched)
        for user_id in saved:
            unsaved.pop(user_id, None)
        for user_id in self._longest_unsaved(inputs_count, next_input):
            del unsaved[user_id]
            saved[user_id] = None
        known = {user_id for user_id in saved if logged.pop(user_id, None)}
        due = max(
            _count(len(saved), self._bytes, LOG_BYTES_MAX),
            _count(len(saved), len(logged), LOGGED_MAX),
        )
        for user_id in list(islice(logged, due)):
            del logged[user_id]
            unsaved.pop(user_id, None)
            saves.rows.append((user_id, self._encode(user_id)))
            saves.marks.append(user_log.mark(user_id))
        self._save(saves, number, saved, known)
        saves.replay_from = next(iter(unsaved.values()), next_input)
        saves.log_from = next(iter(logged.values()), number + 1)
        while self._sizes and self._sizes[0][0] < saves.log_from:
            self._bytes -= self._sizes.popleft()[1]
        return saves

    def note(self, user: User, number: int) -> None:
        """A user has seen the input of that number; nothing where he was `unsaved`. O(1)."""
        if not user.unsaved:
            user.unsaved = True
            self.unsaved[user.user_id] = number

    def forget(self, user_id: str) -> None:
        """There is nobody to save any more."""
        self.unsaved.pop(user_id, None)
        self._logged.pop(user_id, None)

    def _encode(self, user_id: str) -> bytes:
        user = self._find(user_id)
        assert user is not None, "who is gone was forgotten"
        user.unsaved = False
        return encode_user(user)

    def _longest_unsaved(self, inputs_count: int, next_input: int) -> list[str]:
        """Those who wait longest, and whoever still needs an input that is too long ago."""
        unsaved = self.unsaved
        behind = next_input - next(iter(unsaved.values()), next_input)
        count = _count(inputs_count, behind, self._max_replay)
        floor = next_input - self._max_replay
        longest: list[str] = []
        for user_id, first_input in unsaved.items():
            if len(longest) >= count and first_input >= floor:
                break
            longest.append(user_id)
        return longest

    def _save(
        self, saves: Saves, number: int, users: Iterable[str], known: Collection[str]
    ) -> None:
        """Put their states in the log, or in their rows where it has no place for them.

        `known` are those of whom the log has an older one.
        """
        size = sum(map(len, saves.marks))
        for user_id in users:
            state = self._encode(user_id)
            if (
                len(state) > STATE_LOGGED_MAX
                or self._bytes + size >= LOG_BYTES_MAX
                or len(self._logged) >= LOGGED_MAX
            ):
                saves.rows.append((user_id, state))
                if user_id in known:
                    saves.marks.append(user_log.mark(user_id))
                    size += len(saves.marks[-1])
            else:
                saves.states.append(state)
                size += len(state)
                self._logged[user_id] = number
        if size:
            self._sizes.append((number, size))
            self._bytes += size


def _count(added: int, filled: int, full: int) -> int:
    """How many of those who wait to take with a commit that made `added` users wait.

    Two for each where it is full, and so as many as are added somewhere before.
    """
    return WAITING_A_COMMIT + 8 * added * max(0, filled - full * 3 // 4) // full
