"""Settings of the shop that the core decides by."""

from __future__ import annotations

import msgspec

from engine.core.conditions.needs import EVENTS_MAX
from engine.core.messages.caps import Cap
from engine.core.messages.quiet import QuietHours


class Policy(msgspec.Struct, frozen=True):
    """The policy; defaults are those of `hairspring.toml`.

    `caps` has the least time between two messages, too (`caps`). `restrains` is whether anything
    but a holdout can hold back a marketing message that could go. `utm` is what links get, by key,
    those of transactional messages where that is said.
    """

    max_lateness_ms: int = 86_400_000
    session_gap_ms: int = 1_800_000
    enrollments_max: int = 100
    consent_required: frozenset[str] = frozenset({"email", "sms"})
    consent_unknown_allows: bool = False
    testers: frozenset[str] = frozenset()
    events_kept_max: int = EVENTS_MAX
    timezone: str = "UTC"
    holdout: float = 0.0
    caps: tuple[Cap, ...] = ()
    quiet_hours: QuietHours | None = None
    restrains: bool = False
    utm: tuple[tuple[str, str], ...] = ()
    utm_transactional: bool = False

    def __post_init__(self) -> None:
        restrains = bool(self.caps) or self.quiet_hours is not None
        msgspec.structs.force_setattr(self, "restrains", restrains)
