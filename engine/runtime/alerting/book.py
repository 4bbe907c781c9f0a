"""Which alerts are open, and what is to be told of them. Pure: a clock is given, nothing is sent.

One cause has one alert: told once when it begins, once when it is over. What comes and goes is told
again only after a while, and no more new alerts than so many an hour. A book is kept over restarts,
so that none of that is told twice.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SETTLED_MS: Final = 60_000
"""How long a cause has been away when its alert is over."""

_HOUR_MS: Final = 3_600_000
_ID_BYTES: Final = 12


class Cause(msgspec.Struct, frozen=True):
    """Something that goes wrong.

    Attributes:
        kind: What of: `disk`, `breaker`, …; docs/reference/alerts.md has them all.
        about: Which of that kind: a campaign, a channel, a pool; "" where there is one only.
        text: What is wrong, with its numbers.
        hint: What to do.
        seen_in: Of a campaign's rhythm, which of its records tell of it: `entered` or `sent`.
    """

    kind: str
    about: str
    text: str
    hint: str
    seen_in: str = ""

    @property
    def key(self) -> str:
        """Tells one cause from another."""
        return f"{self.kind}:{self.about}" if self.about else self.kind


class Notice(msgspec.Struct, frozen=True):
    """What is told of an alert.

    Attributes:
        id: The same however often this is sent; the alert's, and `-raised` or `-recovered`.
        what: Whether it begins or is over.
        cause: Of the alert; of one that is over, as it was last seen.
        at_ms: When this was found, by the wall clock.
        since_ms: When it began.
    """

    id: str
    what: Literal["raised", "recovered"]
    cause: Cause
    at_ms: int
    since_ms: int


class _Open(msgspec.Struct):
    cause: Cause
    since_ms: int
    is_told: bool = False
    gone_at_ms: int = 0


class Book(msgspec.Struct):
    """All alerts.

    Attributes:
        open: Those whose cause is there, by its key.
        ended_at_ms: When those that were told were over, by the key, for `again_ms`.
        told_at_ms: When new ones were told, in the last hour.
    """

    open: dict[str, _Open] = {}
    ended_at_ms: dict[str, int] = {}
    told_at_ms: list[int] = []

    def known(self, key: str) -> Cause | None:
        """The cause of an alert that is open, as it was last seen; None where it is not. O(1)."""
        one = self.open.get(key)
        return None if one is None else one.cause

    def since_ms(self, key: str) -> int | None:
        """When an alert that is open began, by the wall clock; None where it is not. O(1)."""
        one = self.open.get(key)
        return None if one is None else one.since_ms

    def look(
        self,
        causes: Iterable[Cause],
        now_ms: int,
        *,
        again_ms: int,
        per_hour: int,
        unsure: Collection[str] = (),
    ) -> list[Notice]:
        """Take what is wrong now; what is to be told of it. O(causes and open alerts).

        Args:
            causes: All that are there.
            now_ms: By the wall clock.
            again_ms: How long after its end a cause is not told again.
            per_hour: New alerts in an hour.
            unsure: Kinds of which nobody can tell yet: what is open of them stays so.
        """
        found = {cause.key: cause for cause in causes}
        for key, cause in found.items():
            one = self.open.setdefault(key, _Open(cause, now_ms))
            one.cause, one.gone_at_ms = cause, 0
        notices = self._close(found, unsure, now_ms)
        ended = self.ended_at_ms
        self.ended_at_ms = {k: at for k, at in ended.items() if 0 <= now_ms - at < again_ms}
        self.told_at_ms = [at for at in self.told_at_ms if 0 <= now_ms - at < _HOUR_MS]
        for key, one in self.open.items():
            if one.is_told or key in self.ended_at_ms or one.gone_at_ms:
                continue
            if len(self.told_at_ms) >= per_hour:
                break
            self.told_at_ms.append(now_ms)
            one.is_told = True
            notices.append(_notice("raised", one, now_ms))
        return notices

    def _close(self, found: Collection[str], unsure: Collection[str], now_ms: int) -> list[Notice]:
        notices = []
        for key, one in [*self.open.items()]:
            if key in found or one.cause.kind in unsure:
                continue
            one.gone_at_ms = min(one.gone_at_ms, now_ms) or now_ms
            if one.is_told and now_ms - one.gone_at_ms < SETTLED_MS:
                continue
            del self.open[key]
            if one.is_told:
                self.ended_at_ms[key] = now_ms
                notices.append(_notice("recovered", one, now_ms))
        return notices


def _notice(what: Literal["raised", "recovered"], one: _Open, now_ms: int) -> Notice:
    said = f"{one.cause.key}\n{one.since_ms}".encode()
    alert_id = blake2b(said, digest_size=_ID_BYTES).hexdigest()
    return Notice(f"{alert_id}-{what}", what, one.cause, now_ms, one.since_ms)
