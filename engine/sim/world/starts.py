"""What clients heard of manual starts, held against what is kept: each came to one end, once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.core.inputs import TriggerReceived
from engine.runtime.starting import ERASED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Sequence

    from engine.core.effects import Record
    from engine.core.inputs import Input, UserInput
    from engine.runtime.starting import Started


class Starts:
    """Of all lives of a process; a start is known by its message id for a window of time."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._told: dict[str, tuple[int, Started]] = {}
        self._began: dict[str, str] = {}

    def see_restored(self, known: Container[str]) -> None:
        """Of starts under other message ids than these nothing has come any more."""
        self._told = {one: told for one, told in self._told.items() if one in known}
        self._began = {began: one for began, one in self._began.items() if one in known}

    def see_answered(self, inputs: Iterable[UserInput], outcomes: Iterable[Started]) -> str:
        """A client was answered, with one outcome for each start among the inputs.

        Returns what is wrong with that, or "".
        """
        started = [one for one in inputs if isinstance(one, TriggerReceived)]
        for happened, outcome in zip(started, outcomes, strict=True):
            message_id = happened.message_id
            if outcome.user_id != happened.user_id:
                return f"{message_id} is answered as {outcome}"
            if outcome.outcome == "known" or outcome.reason == ERASED:
                continue  # nothing came of it now; of an earlier try, something may have
            told_at_ms, before = self._told.get(message_id, (0, None))
            if before is not None and happened.at_ms - told_at_ms < self._window_ms:
                return f"{message_id} is {outcome}, and was {before}"
            self._told[message_id] = happened.at_ms, outcome
            if outcome.enrollment:
                other = self._began.setdefault(outcome.enrollment, message_id)
                if other != message_id:
                    return f"{message_id} and {other} began one enrollment"
        return ""

    def see_end(
        self,
        journal: Sequence[Input],
        records: Iterable[Record],
        manual: Collection[str],
        gone: Collection[str],
        family: Callable[[str], str],
    ) -> str:
        """Whether who was told to have entered has, once, and nobody else; what is wrong, or "".

        Args:
            journal: All inputs that are durable.
            records: All records that are.
            manual: Campaigns that nothing but a manual start enters.
            gone: Message ids of which nothing need be left.
            family: The same for all ids of one person.
        """
        entered = Counter(one.enrollment for one in records if one.kind == "entered")
        for enrollment, message_id in self._began.items():
            if entered[enrollment] != 1 and message_id not in gone:
                return f"{message_id} entered {entered[enrollment]} times"
        began = Counter(
            (family(one.user_id), one.campaign)
            for one in records
            if one.kind == "entered" and one.campaign in manual
        )
        asked = Counter(
            (family(one.user_id), one.campaign)
            for one in journal
            if isinstance(one, TriggerReceived)
        )
        more = began - asked
        return f"nobody started {dict(more)}" if more else ""
