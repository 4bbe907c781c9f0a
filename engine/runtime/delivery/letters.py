"""Dead letters: messages that failed for good, told to operators, and delivered after all.

A retry is a journaled input like any other. The message goes under the same key with the same
bytes; whether it may still go is asked anew, then and before each attempt.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.core.inputs import LetterRevived
from engine.core.instants import format_instant
from engine.core.messages.sending import why_not
from engine.core.messages.waiting import Pending
from engine.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.store import Store
    from engine.store.outbox import Letter

LISTED: Final = 100
"""Letters of a page, unless asked for more or fewer."""

LISTED_MAX: Final = 1_000

AT_ONCE: Final = 256
"""Letters that are retried in one go, so that they share a commit."""

LEFT_TOLD_MAX: Final = 100
"""Letters that stay of which an answer says why; it counts them all."""

_KINDS: Final = {"gave up: ": "gave_up", "template: ": "template", "": "rejected"}
"""By how a reason begins, what it is; the rest of it are the provider's last words."""

_decode_pending = msgspec.json.Decoder(Pending).decode


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters are meant: by id, of a campaign or a channel (or both), or all.

    Attributes:
        ids: Of the messages.
        campaign: A campaign's id.
        channel: A channel's id.
        all: All there are.
    """

    ids: tuple[str, ...] | None = None
    campaign: str | None = None
    channel: str | None = None
    all: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether it says one thing: nothing is meant by saying nothing."""
        filtered = self.campaign is not None or self.channel is not None
        return sum((self.ids is not None, filtered, self.all)) == 1


class Left(msgspec.Struct, frozen=True):
    """A letter that stays, and why: as in the records of what is skipped."""

    id: str
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of a retry.

    Attributes:
        asked: Letters that were meant.
        retried: Those that are on their way again.
        left: Why others stay, of up to `LEFT_TOLD_MAX`.
    """

    asked: int
    retried: int
    left: list[Left]


async def page(store: Store, chosen: Chosen, *, limit: int, after: int) -> dict[str, Any]:
    """Letters from behind the number `after` on, oldest first; `next` is where the next page is.

    `total` counts them all, chosen or not. O(letters). Raises StoreError.
    """
    found = await store.read(_reading(chosen, after, limit))
    total = await store.read(outbox.count_letters)
    behind = found[-1].number if len(found) == limit else None
    return {"total": total, "deadletters": [_told(letter) for letter in found], "next": behind}


async def retry(
    store: Store,
    shell: Shell,
    processor: Processor,
    chosen: Chosen,
    told: Callable[[int, int], None],
) -> Outcome:
    """Have letters delivered after all; `told` is told (done, total).

    Raises StoreError, Unavailable.
    """
    total = len(chosen.ids or ()) or await store.read(outbox.count_letters)
    outcome = Outcome(0, 0, [])
    after = 0
    while True:
        # Until they are revived for good: what is old goes meanwhile.
        async with store.letters_stay:
            found = await store.read(_reading(chosen, after, AT_ONCE))
            if not found:
                return outcome
            judged = [(letter, _why_it_stays(processor, letter)) for letter in found]
            goes = [letter for letter, reason in judged if not reason]
            await shell.submit([_revived(letter) for letter in goes])
        after = found[-1].number
        stay = [Left(letter.message.id, reason) for letter, reason in judged if reason]
        outcome = Outcome(
            outcome.asked + len(found),
            outcome.retried + len(goes),
            [*outcome.left, *stay][:LEFT_TOLD_MAX],
        )
        told(outcome.asked, max(total, outcome.asked))


def _revived(letter: Letter) -> LetterRevived:
    message = letter.message
    return LetterRevived(message.user_id, message.id, msgspec.Raw(letter.pending))


def _reading(chosen: Chosen, after: int, limit: int) -> Any:  # noqa: ANN401 - what `Store.read` runs
    return partial(
        outbox.letters,
        after_number=after,
        limit=limit,
        ids=chosen.ids,
        campaign=chosen.campaign,
        channel=chosen.channel,
    )


def _why_it_stays(processor: Processor, letter: Letter) -> str:
    """Why it may not go, as far as is known before it is asked; or ""."""
    user = processor.find(letter.message.user_id)
    if user is None:
        return "erased"
    try:
        pending = _decode_pending(letter.pending)
    except msgspec.DecodeError:
        return "of another version"
    return why_not(processor.plan, user, pending, processor.now_ms)


def _told(letter: Letter) -> dict[str, Any]:
    message = letter.message
    prefix = next(begins for begins in _KINDS if letter.reason.startswith(begins))
    return {
        "number": letter.number,
        "id": message.id,
        "user_id": message.user_id,
        "campaign": message.campaign,
        "step": message.step,
        "channel": message.channel,
        "template": message.template,
        "at": format_instant(message.at_ms),
        "failed_at": format_instant(letter.failed_at_ms) if letter.failed_at_ms else None,
        "attempts": letter.attempts,
        "reason": _KINDS[prefix],
        "said": letter.reason.removeprefix(prefix),
    }
