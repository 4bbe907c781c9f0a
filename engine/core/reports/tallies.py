"""What every campaign did, counted record by record: in total, and hour by hour.

A count stands under a *key*: kind, step, channel, variant and reason of the records that it counts.
What is more than a count stands under kinds of its own: `VALUE` and `SQUARE` add up what goals were
worth and the squares of it, `RESPONSE` how long after a message it was answered, `LATE` how late
deadlines fired, both by bucket, `LINK` clicks by the mark of where they lead (`link_mark`). So one
form holds all of it, grows with what campaigns are made of and with no user, and names nobody: who
is erased stays counted.

Records are counted into one flat table, which is folded into campaigns and hours now and then: that
is what keeps a record below a microsecond.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from xxhash import xxh3_64_intdigest

from engine.core.messages.attribution import touch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.core.effects import Record
    from engine.core.plan import Plan

HOUR_MS: Final = 3_600_000

KEYS_MAX: Final = 2_000
"""Keys of one campaign; what is beyond them is counted under `OTHER`."""

LINKS_MAX: Final = 200
"""Marks of links of one campaign, out of those keys; what is beyond them is likewise."""

FRESH_MAX: Final = 1_000
"""Keys that are not folded yet: folding takes about a microsecond each, in one go."""

OTHER: Final = "other"

VALUE: Final = "goal.value"
SQUARE: Final = "goal.square"
CLICKED: Final = "goal.clicked"
RESPONSE: Final = "response"
LATE: Final = "late"
LINK: Final = "link"

SUMMED: Final = (
    "entered", "sent", "delivered", "opened", "clicked", "skipped", "failed", "goal", VALUE,
)  # fmt: skip
"""Kinds that a trend tells."""

_ANSWERS: Final = frozenset({"opened", "clicked"})

WORTH_MAX: Final = 1e100
"""A goal worth more counts as this, either way: sums and squares stay what floats can be."""

BUCKETS_A_DOUBLING: Final = 4
"""Of times: each bucket is 19 % longer than the one before."""

CANCELLED: Final = "cancelled"
"""Kind of messages that were sent, and taken back before they were handed over: recorded as
`skipped`, with the id of the message."""

STOOD_IN: Final = "stood_in"
"""Kind of what followed a failed delivery: another channel's message, or its being skipped. It is
counted besides: its enrollment came by the step once."""

_COUNTED_MORE: Final = frozenset({"goal", "opened", "clicked", "failed", "branched", "skipped"})


class Key(NamedTuple):
    """What a count is of; "" where there is none, as in `Record`.

    Attributes:
        variant: That of the newest split; of `branched` and `goal`, in a campaign of several
            splits, all that the enrollment had gone by (`told_variants`).
        reason: Of `branched` by a condition, which way; of times, the bucket.
    """

    kind: str
    step: str = ""
    channel: str = ""
    variant: str = ""
    reason: str = ""


class Kept(msgspec.Struct):
    """What is saved of one campaign in all: its keys, and what was counted of each, in order."""

    keys: list[Key]
    counts: list[float]


_encode = msgspec.msgpack.Encoder().encode
_decode_kept = msgspec.msgpack.Decoder(Kept).decode
_decode_hour = msgspec.msgpack.Decoder(dict[int, float]).decode


class Tally:
    """What one campaign did; hours are numbered since 1970."""

    __slots__ = ("_counts", "_keys", "_links", "_open", "_packed", "_sums")

    def __init__(self, saved: bytes = b"") -> None:
        kept = _decode_kept(saved) if saved else Kept([], [])
        self._keys = {key: place for place, key in enumerate(kept.keys)}
        self._counts = kept.counts
        self._links = sum(key.kind == LINK for key in kept.keys)
        self._packed: dict[int, bytes] = {}
        self._open: dict[int, dict[int, float]] = {}
        self._sums: dict[int, tuple[float, ...]] = {}

    def add(self, hour: int, key: Key, count: float) -> None:
        """Count something that happened in an hour. O(1), but for an hour that was packed."""
        place = self._keys.get(key)
        if place is None:
            place = self._place(key)
        self._counts[place] += count
        opened = self._open.get(hour)
        if opened is None:
            opened = self._open[hour] = _decode_hour(self._packed.pop(hour, b"\x80"))
        opened[place] = opened.get(place, 0) + count
        self._sums.pop(hour, None)

    def total(self) -> dict[Key, float]:
        """All that was counted, ever. O(keys)."""
        return dict(zip(self._keys, self._counts, strict=True))

    def hour(self, hour: int) -> dict[Key, float]:
        """What was counted of one hour. O(keys)."""
        counts = self._open.get(hour)
        if counts is None:
            packed = self._packed.get(hour)
            if packed is None:
                return {}
            counts = _decode_hour(packed)
        keys = [*self._keys]
        return {keys[place]: count for place, count in counts.items()}

    def sums(self, hour: int) -> tuple[float, ...]:
        """What was counted of one hour by kind, as in `SUMMED`. O(keys) once, then O(1).

        Opens and clicks are those of people.
        """
        known = self._sums.get(hour)
        if known is None:
            found = dict.fromkeys(SUMMED, 0.0)
            for key, count in self.hour(hour).items():
                if key.kind in found and not (key.reason and key.kind in _ANSWERS):
                    found[key.kind] += count
            known = self._sums[hour] = tuple(found.values())
        return known

    @property
    def hours(self) -> list[int]:
        """Of which anything is known. O(that)."""
        return [*self._packed, *self._open]

    def encode(self) -> bytes:
        """The total, as it is saved. O(keys)."""
        return _encode(Kept([*self._keys], self._counts))

    def encode_hour(self, hour: int) -> bytes:
        """One hour, as it is saved. O(keys)."""
        opened = self._open.get(hour)
        return self._packed.get(hour, b"\x80") if opened is None else _encode(opened)

    def take(self, hour: int, saved: bytes) -> None:
        """Have an hour as it was saved. O(1)."""
        self._packed[hour] = saved

    def pack(self, before_hour: int) -> None:
        """Hold hours before one as they are saved: a tenth of the room. O(those that are not)."""
        for hour in [hour for hour in self._open if hour < before_hour]:
            self._packed[hour] = _encode(self._open.pop(hour))

    def drop(self, before_hour: int) -> list[int]:
        """Forget the hours before one; which those were. O(hours)."""
        gone = [hour for hour in self.hours if hour < before_hour]
        for hour in gone:
            self._packed.pop(hour, None)
            self._open.pop(hour, None)
            self._sums.pop(hour, None)
        return gone

    def _place(self, key: Key) -> int:
        is_link = key.kind == LINK
        full = len(self._keys) >= KEYS_MAX or (is_link and self._links >= LINKS_MAX)
        if full and key.reason != OTHER:
            # At most a few more for each kind.
            key = Key(key.kind, reason=OTHER)
            if key in self._keys:
                return self._keys[key]
        place = self._keys[key] = len(self._counts)
        self._counts.append(0)
        self._links += is_link
        return place


class Tallies:
    """What all campaigns did.

    Attributes:
        campaigns: By id; `fold` first.
        changed: (campaign, hour) of what was counted since the owner emptied it.
    """

    def __init__(self) -> None:
        self.campaigns: dict[str, Tally] = {}
        self.changed: set[tuple[str, int]] = set()
        self._fresh: dict[tuple[int, str, str, str, str, str, str], float] = {}
        self._failed: Record | None = None

    def count(self, records: Iterable[Record], plan: Plan) -> None:
        """Count records, in order; `plan` says what the last touch of a goal was. O(records)."""
        fresh = self._fresh
        for record in records:
            kind = record.kind
            if self._failed is not None:
                self._follow_failure(self._failed, record)
            if kind in _COUNTED_MORE:
                self._count_more(record, plan)
                continue
            key = (
                record.at_ms // HOUR_MS,
                record.campaign,
                kind,
                record.step,
                record.channel,
                record.variant,
                record.reason,
            )
            fresh[key] = fresh.get(key, 0) + 1
        if len(fresh) > FRESH_MAX:
            self.fold()

    def late(self, campaign: str, at_ms: int, late_ms: float) -> None:
        """Count that something of a campaign which was due at an instant came later. O(1)."""
        self._add(at_ms, campaign, Key(LATE, reason=str(bucket_of(late_ms))))

    def fold(self) -> None:
        """Have all that was counted in `campaigns`. O(keys that are fresh)."""
        for (hour, campaign, *parts), count in self._fresh.items():
            tally = self.campaigns.get(campaign)
            if tally is None:
                tally = self.campaigns[campaign] = Tally()
            tally.add(hour, Key(*parts), count)
            self.changed.add((campaign, hour))
        self._fresh.clear()

    def _count_more(self, record: Record, plan: Plan) -> None:
        """As `count`, for what is more than one count, or not counted as it stands."""
        at_ms, campaign, kind = record.at_ms, record.campaign, record.kind
        variant = told_variants(record.variants) or record.variant
        step, channel, reason = record.step, record.channel, record.reason
        if kind == "failed":
            self._failed = record
            reason = ""  # a provider's own text, with no end of variants, and it may name somebody
        if kind == "goal":
            step, channel = touch_of(plan.campaigns.get(campaign), record)
            if record.touch == "clicked":
                self._add(at_ms, campaign, Key(CLICKED, step, channel, variant, reason))
            if record.value is not None:
                worth = max(-WORTH_MAX, min(record.value, WORTH_MAX))
                self._add(at_ms, campaign, Key(VALUE, step, channel, variant, reason), worth)
                self._add(at_ms, campaign, Key(SQUARE, step, channel, variant, reason), worth**2)
        if kind == "branched":
            reason = record.branch or reason
        told = CANCELLED if kind == "skipped" and record.message else kind
        self._add(at_ms, campaign, Key(told, step, channel, variant, reason))
        if record.link and kind == "clicked" and not reason:
            mark = link_mark(record.link)
            self._add(at_ms, campaign, Key(LINK, step, channel, reason=mark))
        if record.response_ms and not reason:
            bucket = f"{kind} {bucket_of(record.response_ms)}"
            self._add(at_ms, campaign, Key(RESPONSE, step, channel, variant, bucket))

    def _follow_failure(self, failed: Record, record: Record) -> None:
        """Count what stands in for a delivery that failed just before."""
        self._failed = None
        same = failed.enrollment == record.enrollment and failed.step == record.step
        if same and record.kind in {"sent", "skipped"}:
            self._add(record.at_ms, record.campaign, Key(STOOD_IN, record.step))

    def _add(self, at_ms: int, campaign: str, key: Key, count: float = 1) -> None:
        fresh = (at_ms // HOUR_MS, campaign, *key)
        self._fresh[fresh] = self._fresh.get(fresh, 0) + count


def link_mark(address: str) -> str:
    """What clicks on a link are counted under: 16 hex digits of where it leads. O(length).

    Without query and fragment, in which a link is each person's own; and as a hash, for what there
    is of a person in the rest.
    """
    bare = address.partition("#")[0].partition("?")[0]
    return f"{xxh3_64_intdigest(bare.encode('utf-8', 'replace')):016x}"


def told_variants(variants: Iterable[tuple[str, str]]) -> str:
    """(split, variant) pairs in one text, by split: `copy=a&offer=x`; names bear neither sign."""
    return "&".join(f"{split}={variant}" for split, variant in sorted(variants))


def read_variants(told: str) -> dict[str, str]:
    """The inverse of `told_variants`; {} for the name of one variant."""
    pairs = [pair.partition("=") for pair in told.split("&")]
    return {split: variant for split, sign, variant in pairs if sign}


def bucket_of(duration_ms: float) -> int:
    """The bucket that a time falls into; 0 up to a millisecond."""
    return round(BUCKETS_A_DOUBLING * log2(duration_ms)) if duration_ms > 1 else 0


def middle_ms(bucket: int) -> int:
    """The time in the middle of a bucket."""
    return round(2 ** (bucket / BUCKETS_A_DOUBLING))


def quantile_ms(buckets: Mapping[int, float], share: float) -> int | None:
    """The time that a share of those counted stays below, within 10 %; None where there are none.

    O(buckets).
    """
    left = share * sum(buckets.values())
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return middle_ms(bucket)
    return None


def chosen(counts: Mapping[Key, float], *kinds: str) -> Iterator[tuple[Key, float]]:
    """What was counted of some kinds. O(keys)."""
    return ((key, count) for key, count in counts.items() if key.kind in kinds)
