"""What is looked at once a world has come to its end: each promise by itself, by its books."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from engine.core.inputs import LetterRevived
from engine.sim.world import aims, beside, comings, exactly, replies, restraint, trials, unions
from engine.sim.world.shop import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from engine.core.effects import Record, SendMessage
    from engine.core.inputs import Input
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.sim.world.consents import Consents
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
        judged: Each message that was let out, as it was judged.
        handed: When it was handed over last.
        plans: That ever were, by id.
        starts: What clients heard of manual starts.
        kin: Who was ever merged.
        gone: Message ids of which nothing need be left.
        erased: Users who were ever erased.
        bandits: What is in the file of them.
        users: As they are in the process.
        consents: What they have said.
        now_ms: The end.
    """

    journal: list[Input]
    records: list[Record]
    wires: Container[str]
    judged: Mapping[str, SendMessage]
    handed: Mapping[str, int]
    plans: Mapping[str, Plan]
    starts: Starts
    kin: Kin
    gone: set[str]
    erased: set[str]
    bandits: bytes
    users: Mapping[str, User]
    consents: Consents
    now_ms: int

    def is_plain(self, user_id: str) -> bool:
        """Whether a user was never merged with anybody, and never erased."""
        return user_id not in self.erased and not self.kin.is_joined(user_id)

    def is_gone(self, user_id: str) -> bool:
        """Whether anybody was erased who ever was one with a user."""
        family = self.kin.family
        return family(user_id) in {family(one) for one in self.erased}


Ending: TypeAlias = "tuple[str, Callable[[Books], str]]"


def broken(books: Books) -> tuple[str, str] | None:
    """The first promise that is broken, and how; None where none is."""
    for promise, look in ENDINGS:
        if seen := look(books):
            return promise, seen
    return None


def _ends(books: Books) -> str:
    """Each message has one end, and one more each time that it is revived, which delivery is not.

    What is told as delivered was taken.
    """
    ends: dict[str, str] = {}
    revived = Counter(one.effect_id for one in books.journal if isinstance(one, LetterRevived))
    for record in books.records:
        message = record.message
        if record.kind not in unions.ENDS or not message or replies.is_bounce(record):
            continue
        if message in ends and (ends[message] == "delivered" or not revived[message]):
            return f"{message} is {record.kind}, and was {ends[message]}"
        revived[message] -= message in ends
        ends[message] = record.kind
    for record in books.records:
        if record.kind == "sent" and record.message not in ends:
            return f"{record.message} has none"
    lost = [one for one, kind in ends.items() if kind == "delivered" and one not in books.wires]
    return f"{lost[0]} was never taken" if lost else ""


def _caps(books: Books) -> str:
    return restraint.over_a_cap(books.records, books.judged, books.journal, books.plans)


def _places(books: Books) -> str:
    revived = {one.user_id for one in books.journal if isinstance(one, LetterRevived)}

    def is_plain(user_id: str) -> bool:
        return books.is_plain(user_id) and user_id not in revived

    rules = exactly.Rules(books.journal, books.plans)
    return exactly.miscounted(books.records, books.judged, rules, is_plain)


def _quiet(books: Books) -> str:
    rules = exactly.Rules(books.journal, books.plans)
    zones = exactly.Zones(books.journal)
    found = (books.records, books.judged, rules, zones, books.is_plain, books.now_ms)
    return exactly.put_off_wrongly(*found)


def _capped(books: Books) -> str:
    found = (books.records, books.journal, books.plans.values(), books.kin, SLACK_MS)
    return restraint.capped_for_nothing(*found)


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
    gone = {one.user_id for one in books.records if books.is_gone(one.user_id)}
    return aims.missed(books.journal, books.records, gone)


def _merges(books: Books) -> str:
    told = unions.sent_again(books.records, books.handed)
    return told or beside.sent_to_both(books.journal, books.records, books.handed, books.kin)


def _answers(books: Books) -> str:
    return replies.misheard(books.journal, books.records, books.is_gone)


def _bounces(books: Books) -> str:
    channels = {one.message: one.channel for one in books.records if one.kind == "sent"}
    return replies.not_bounced(books.journal, channels, books.is_gone)


def _comings(books: Books) -> str:
    return comings.missed(books.journal, books.records, books.is_plain, books.now_ms)


def _traits(books: Books) -> str:
    """What is said of users last is what is known of them; a default is what nobody has said."""
    for user_id, said in books.consents.users.items():
        user = books.users.get(user_id)
        if user is None or not books.is_plain(user_id):
            continue
        for trait in ("email", "tier", "origin", "group", "timezone"):
            if user.traits.get(trait) != said.traits.get(trait):
                known = user.traits.get(trait)
                return f"{trait} of {user_id} is {known}, and was {said.traits.get(trait)}"
    return ""


ENDINGS: tuple[Ending, ...] = (
    ("a message has one end", _ends),
    ("caps hold", _caps),
    ("what is capped has a full cap", _capped),
    ("caps are exact", _places),
    ("quiet hours put off to their very end", _quiet),
    ("a manual start comes to one end", _starts),
    ("a variant that was drawn stays", _variants),
    ("who is held out is sent nothing, and counts", _holdouts),
    ("a bandit counts what was shown and reached", _bandits),
    ("each goal is told once, with its last touch", _goals),
    ("a merge sends no step again", _merges),
    ("what is done with a message is told", _answers),
    ("an address that is refused is a bounce", _bounces),
    ("who comes in has a cause", _comings),
    ("of traits the last word counts", _traits),
)
"""What is promised, and who looks whether it was kept: how it was not, or ""."""
