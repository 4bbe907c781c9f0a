"""What is looked at once a world has come to its end: each promise by itself, by its books."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from engine.sim.world import aims, restraint, trials, unions
from engine.sim.world.shop import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from engine.core.effects import Record
    from engine.core.inputs import Input
    from engine.core.plan import Plan
    from engine.sim.world.kin import Kin
    from engine.sim.world.starts import Starts

SLACK_MS = 1_000
"""A record does not tell when it was judged where that is nearer to its instant than this."""


class Books(NamedTuple):
    """All that is known of a world at its end.

    Attributes:
        journal: All inputs that are durable.
        records: All records that are, in order.
        wires: Ids of what providers took.
        judged: When each message that was handed over had been judged.
        handed: When it was handed over last.
        plans: That ever were, by id.
        starts: What clients heard of manual starts.
        kin: Who was ever merged.
        gone: Message ids of which nothing need be left.
        erased: Users who were ever erased.
        bandits: What is in the file of them.
    """

    journal: list[Input]
    records: list[Record]
    wires: Container[str]
    judged: Mapping[str, int]
    handed: Mapping[str, int]
    plans: Mapping[str, Plan]
    starts: Starts
    kin: Kin
    gone: set[str]
    erased: set[str]
    bandits: bytes


Ending: TypeAlias = "tuple[str, Callable[[Books], str]]"


def broken(books: Books) -> tuple[str, str] | None:
    """The first promise that is broken, and how; None where none is."""
    for promise, look in ENDINGS:
        if seen := look(books):
            return promise, seen
    return None


def _ends(books: Books) -> str:
    """Each message has one end, and what is told as delivered was taken."""
    ends: dict[str, str] = {}
    for record in books.records:
        if not record.message or record.kind in {"sent", "goal"}:
            continue
        if record.message in ends:
            return record.message
        ends[record.message] = record.kind
    for record in books.records:
        if record.kind == "sent" and record.message not in ends:
            return f"{record.message} has none"
    lost = [one for one, kind in ends.items() if kind == "delivered" and one not in books.wires]
    return f"{lost[0]} was never taken" if lost else ""


def _caps(books: Books) -> str:
    return restraint.over_a_cap(books.records, books.judged, books.journal, books.plans)


def _capped(books: Books) -> str:
    return restraint.capped_for_nothing(books.records, books.plans.values(), books.kin, SLACK_MS)


def _starts(books: Books) -> str:
    gone, family = books.gone, books.kin.family
    return books.starts.see_end(books.journal, books.records, BY_HAND, gone, family)


def _variants(books: Books) -> str:
    records = books.records
    if told := trials.moved(records):
        return told
    return "" if books.erased else trials.not_joined(records, books.kin, SLACK_MS)


def _holdouts(books: Books) -> str:
    campaigns = [one for plan in books.plans.values() for one in plan.campaigns.values()]
    transactional = {one.id for one in campaigns if not one.is_marketing}
    return trials.held_out_in_vain(books.records, transactional)


def _bandits(books: Books) -> str:
    if books.erased:
        return ""  # what they have done stays counted
    return trials.miscounted(books.records, books.bandits, "trial", "learn")


def _goals(books: Books) -> str:
    families = {books.kin.family(one) for one in books.erased}
    gone = {one.user_id for one in books.records if books.kin.family(one.user_id) in families}
    return aims.missed(books.journal, books.records, gone)


def _merges(books: Books) -> str:
    return unions.sent_again(books.records, books.handed)


ENDINGS: tuple[Ending, ...] = (
    ("a message has one end", _ends),
    ("caps hold", _caps),
    ("what is capped has a full cap", _capped),
    ("a manual start comes to one end", _starts),
    ("a variant that was drawn stays", _variants),
    ("who is held out is sent nothing, and counts", _holdouts),
    ("a bandit counts what was shown and reached", _bandits),
    ("each goal is told once, with its last touch", _goals),
    ("a merge sends no step again", _merges),
)
"""What is promised, and who looks whether it was kept: how it was not, or ""."""
