"""What a witness knows of those who are erased: which of their inputs may be gone, and must be.

From the request on until it is done nothing of a user is taken, and then nothing of before; clients
hear 200 all the same, so that they stop sending it. Whose inputs were taken are let go of in the
journal by `UserErased`, or by a start that finds the erasure begun. With a user all ids go that
were merged into his: which those are, his tombstones tell before anything goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core import ids
from engine.core.inputs import DeliveryReported, EnrollmentForwarded, HistoryFound, LetterRevived
from engine.core.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from engine.core.inputs import Input, UserInput


class Erased:
    """Of all lives of a process.

    Attributes:
        gone: Message ids that need not be in the journal.
        users: Whose erasure was ever begun.
    """

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.users: set[str] = set()
        self._until_ms: dict[str, int] = {}
        self._erasures: dict[str, tuple[int, int]] = {}
        self._occurred_at_ms: dict[str, dict[str, int]] = {}

    def see_begun(self, user_id: str) -> None:
        """He was asked to be erased: nothing of him has to be taken now."""
        self.users.add(user_id)
        self._until_ms[user_id] = NEVER

    def see_finished(self, tombstones: Mapping[str, int]) -> list[str]:
        """These tombstones are finished: the ids that were not when it was looked last."""
        done = [
            user_id
            for user_id, until_ms in self._until_ms.items()
            if until_ms == NEVER and ids.digest(user_id) in tombstones
        ]
        self._until_ms.update({user_id: tombstones[ids.digest(user_id)] for user_id in done})
        return done

    def see_file(self, tombstones: Mapping[str, int], vanished: Collection[str]) -> None:
        """A process has opened the file, and brought to its end what was begun.

        `vanished` are message ids that were in the journal, and are not any more: also of what
        nobody was answered yet, and is known by its id when it comes again, whenever it happened.
        """
        begun = [user_id for user_id, until_ms in self._until_ms.items() if until_ms == NEVER]
        self._until_ms = {
            user_id: at_ms
            for user_id in self.users
            if (at_ms := tombstones.get(ids.digest(user_id))) is not None
        }
        for user_id in begun:
            if user_id in self._until_ms:
                self.gone.update(one for one in vanished if one.startswith(f"{user_id}-"))
        for user_id, until_ms in self._until_ms.items():
            occurred = self._occurred_at_ms.get(user_id, {})
            self.gone.update(one for one, at_ms in occurred.items() if at_ms <= until_ms)

    def see_restored(self, count: int) -> None:
        """The journal ends behind its first `count` inputs again: who was erased since is back."""
        self._erasures = {
            user_id: erasure for user_id, erasure in self._erasures.items() if erasure[0] <= count
        }

    def see_durable(
        self, number: int, at_ms: int, erased: tuple[str, ...], taken: Iterable[str]
    ) -> None:
        """Input `number` erases these ids, behind inputs whose message ids were `taken`."""
        for user_id in erased:
            self.users.add(user_id)
            self._erasures[user_id] = (number, at_ms)
            self._until_ms.setdefault(user_id, NEVER)
        prefixes = tuple([f"{user_id}-" for user_id in erased])
        self.gone.update(one for one in taken if one.startswith(prefixes))

    def see_answered(self, inputs: Sequence[UserInput]) -> None:
        """Clients were told that these are taken."""
        for happened in inputs:
            ours = DeliveryReported | LetterRevived | HistoryFound | EnrollmentForwarded
            assert not isinstance(happened, ours), "no client's"
            occurred_at_ms = happened.occurred_at_ms
            for user_id in named_by(happened):
                self._occurred_at_ms.setdefault(user_id, {})[happened.message_id] = occurred_at_ms
                if occurred_at_ms <= self._until_ms.get(user_id, -1):
                    self.gone.add(happened.message_id)

    def bygone(self, number: int, happened: Input) -> bool:
        """Whether an input was taken of somebody erased before it, and happened before that."""
        for user_id in named_by(happened):
            after, at_ms = self._erasures.get(user_id, (NEVER, 0))
            if number > after and getattr(happened, "occurred_at_ms", NEVER) < at_ms:
                return True
        return False

    def remains(self, journal: Sequence[Input]) -> str:
        """An input of before an erasure that is still there, that one itself, or "". O(journal)."""
        for number, happened in enumerate(journal, start=1):
            for user_id in named_by(happened):
                upto, _ = self._erasures.get(user_id, (0, 0))
                if number <= upto:
                    return f"input {number}: {happened}"
        return ""

    def is_durable(self, user_id: str) -> bool:
        """Whether his erasure was ever in the journal."""
        return user_id in self._erasures

    def came_again(self, user_id: str, journal: Sequence[Input]) -> bool:
        """Whether anything in the journal behind his erasure names him. O(journal)."""
        after, _ = self._erasures.get(user_id, (0, 0))
        return any(user_id in named_by(one) for one in journal[after:])


def named_by(happened: Input) -> set[str]:
    """The ids that an input names."""
    both = (getattr(happened, "user_id", ""), getattr(happened, "merged_id", ""))
    return {one for one in both if one}
