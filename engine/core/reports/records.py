"""Records as the lines that people and programs read (campaigns.md): one JSON object each."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from engine.core.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.effects import Record

INSTANTS_CACHED_MAX = 256
"""What happens at one instant is told in several records, near one another."""

_DAY_MS = 86_400_000


def _said() -> str:
    return ""


class RecordLine(msgspec.Struct, omit_defaults=True, gc=False):
    """A record as it is told: instants in ISO 8601, and nothing where there is nothing to say.

    Attributes:
        message: The effect id, where a message is meant; of a goal that of its last touch.
        judged_at: When guardrails were asked, where that is a second or more after `at`.
        until: When a message that was deferred is asked again.
        link: Of `clicked`, the address that the link leads to.
        response_ms: How long after it was sent a message was opened, clicked, …; else 0.
        variants: In a campaign of several splits, of `branched` and `goal`: the variant by split.
        touch: Of a `goal` that names a message: `clicked`, or `delivered` where nobody clicked.
        subject: Of a rendered message; as `title` and `body`, where rendering was asked for.
    """

    at: str
    user_id: str
    campaign: str
    enrollment: str = ""
    # A factory and no default, so that it is always written, and stands where readers expect it.
    kind: str = msgspec.field(default_factory=_said)
    step: str = ""
    channel: str = ""
    template: str = ""
    reason: str = ""
    branch: str = ""
    message: str = ""
    variant: str = ""
    judged_at: str = ""
    until: str = ""
    value: float | None = None
    link: str = ""
    response_ms: int = 0
    variants: dict[str, str] | None = None
    touch: str = ""
    subject: str = ""
    title: str = ""
    body: str = ""


_encoder = msgspec.json.Encoder()
_encode = _encoder.encode
_encode_lines = _encoder.encode_lines


def told(record: Record) -> RecordLine:
    """The record as it is told. O(1)."""
    return RecordLine(
        _instant(record.at_ms),
        record.user_id,
        record.campaign,
        record.enrollment,
        record.kind,
        record.step,
        record.channel,
        record.template,
        record.reason,
        record.branch,
        record.message,
        record.variant,
        _instant(record.judged_at_ms) if record.judged_at_ms else "",
        _instant(record.until_ms) if record.until_ms else "",
        record.value,
        record.link,
        record.response_ms,
        dict(record.variants) if record.variants else None,
        record.touch,
    )


def record_line(record: Record) -> bytes:
    """The record as one line of JSON, with its line feed; equal bytes for an equal record."""
    return _encode(told(record)) + b"\n"


def record_lines(records: Iterable[Record]) -> bytes:
    """As `record_line` for each of them, in one encoding. O(records)."""
    return _encode_lines([told(record) for record in records])


def encode_told(line: RecordLine) -> bytes:
    """As `record_line`, for a line to which something was added."""
    return _encode(line) + b"\n"


@lru_cache(INSTANTS_CACHED_MAX)
def _instant(at_ms: int) -> str:
    """As `format_instant`, which it asks once a day: a third of a dry run is writing records."""
    day, rest = divmod(at_ms, _DAY_MS)
    seconds, ms = divmod(rest, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date(day)}{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


@lru_cache(INSTANTS_CACHED_MAX)
def _date(day: int) -> str:
    return format_instant(day * _DAY_MS)[:11]
