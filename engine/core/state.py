"""What is kept of one user: mutable, in place, one writer, saved whole.

A user is a msgspec Struct, so that saving one is a single encode; none of these can be part of a
cycle, so the garbage collector leaves them alone. Leaves are ints, strings, bytes and
tuples of ints, which the garbage collector does not track; the short sequences are tuples, since
an empty one costs nothing and most users have no more.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from engine.core.collections import Collected
from engine.core.messages.waiting import Waiting, by_id
from engine.core.past.details import Details
from engine.core.past.entered import Entries
from engine.core.people.refusals import unpack
from engine.core.sharing import NOTHING, share

NEVER = 1 << 48
"""Later than every instant: no deadline."""

NO_EVENT = b"{}"
"""The properties of the event that entered, where none did or nothing asks for them."""


class Alarms(msgspec.Struct, omit_defaults=True, gc=False):
    """When an enrollment of a campaign that asks conditions of its own is looked at again.

    Attributes:
        exit_at_ms: Until then `exit.when` is surely not true.
        ask_at_ms: Until then what the step waits for is surely not true.
        ends_at_ms: When the wait is over, whether or not that came true.
    """

    exit_at_ms: int = NEVER
    ask_at_ms: int = NEVER
    ends_at_ms: int = NEVER


class Watch(msgspec.Struct, omit_defaults=True, gc=False):
    """How the conditions that users come in by were last answered, by campaign.

    Attributes:
        alarms: Not true until then, surely; or true, and to be asked again then.
        truths: True until then, surely.
    """

    alarms: dict[str, int] = {}
    truths: dict[str, int] = {}


class Hold(msgspec.Struct, omit_defaults=True, gc=False):
    """What holds an enrollment at its step, or held it, besides what the step waits for.

    Attributes:
        resumed_at_ms: When it went on after its campaign had held it (`holding`); 0: it never was.
        deferred: Whether it is held at a send until quiet hours are over; its clock stays where
            that was due.
    """

    resumed_at_ms: int = 0
    deferred: bool = False


class Enrollment(msgspec.Struct, omit_defaults=True, eq=False, gc=False):
    """One user's pass through one campaign.

    Attributes:
        enrollment: Its id: follows from campaign, user, `per` and entry instant (`ids`).
        campaign: The campaign's id.
        per: The value that keeps enrollments of one user apart, as JSON; "" where there is none.
        entered_at_ms: Start of the enrollment's clock.
        clock_at_ms: Where the clock stands: the start of the wait it is in.
        position: Index of the step it is in.
        signature: That step's signature, by which it is found again in another plan.
        due_at_ms: When something happens to it by time alone: the wait is over, or an alarm is due.
        event: Properties of the event that entered, as JSON: a copy, which pins no request.
        event_name: Its name.
        passed: The send steps that it came by (`repeats.note_passed`): in a changed campaign one of
            them may lie ahead, and nothing is sent twice.
        alarms: Where the campaign asks conditions of its own while somebody is in it.
        content: What the manual start brought that began it, as a JSON object; empty: none did.
        hold: Quiet hours and pauses that it has met; None where it never did.
        held_out: Whether it goes through everything and is sent nothing (`holdout`).
        iterations: Of each `repeat` around its place, the outermost first: the step's id, how often
            it has begun, and when it did so last (`repeats`).
        variants: (split, variant) of each split it went by, the newest last.
        touches, clicks: (instant, effect id) of its newest deliveries, and clicks, for its goal.
        chain: How many enrollments led to it, each by what it made, and since when that counts
            (`chains`); (): none.
    """

    enrollment: str
    campaign: str
    per: str
    entered_at_ms: int
    clock_at_ms: int
    position: int = 0
    signature: str = ""
    due_at_ms: int = NEVER
    event: bytes = NO_EVENT
    event_name: str = ""
    passed: tuple[str, ...] = ()
    alarms: Alarms | None = None
    hold: Hold | None = None
    held_out: bool = False
    variants: tuple[tuple[str, str], ...] = ()
    touches: tuple[tuple[int, str], ...] = ()
    content: bytes = b""
    iterations: tuple[tuple[str, int, int], ...] = ()
    clicks: tuple[tuple[int, str], ...] = ()
    chain: tuple[int, ...] = ()

    @property
    def is_deferred(self) -> bool:
        """Whether quiet hours hold it at a send."""
        return self.hold is not None and self.hold.deferred

    def hold_on(self) -> Hold:
        """What holds it, to be written to."""
        if self.hold is None:
            self.hold = Hold()
        return self.hold


class Ended(msgspec.Struct, omit_defaults=True, gc=False):
    """An enrollment that came to its end, and may still reach its goal; as `Enrollment`."""

    enrollment: str
    campaign: str
    entered_at_ms: int
    held_out: bool = False
    variants: tuple[tuple[str, str], ...] = ()
    touches: tuple[tuple[int, str], ...] = ()
    clicks: tuple[tuple[int, str], ...] = ()


class Answered(msgspec.Struct, omit_defaults=True, gc=False):
    """A message that the user, or a machine on the way to him, has done something with.

    Attributes:
        sent_at_ms: When it was judged fit to go; 0 where that is not known.
        opened_at_ms, clicked_at_ms: When a person first did; 0: nobody has.
        clicks: How often a person has clicked.
        opened_by_machine, clicked_by_machine: Whether a machine has.
    """

    channel: str
    sent_at_ms: int
    opened_at_ms: int = 0
    clicked_at_ms: int = 0
    clicks: int = 0
    opened_by_machine: bool = False
    clicked_by_machine: bool = False


class Rapport(msgspec.Struct, omit_defaults=True, gc=False):
    """How a user answers to messages, and what he has agreed to.

    Attributes:
        answers: By effect id, the messages that he has answered to, the newest (`answers`).
        consents: The proof of each yes and no, a line each (`consents`).
    """

    answers: dict[str, Answered] = {}
    consents: str = ""


class Session(msgspec.Struct, omit_defaults=True, gc=False):
    """What a user does with no pause as long as the shop's gap; kept on until the next one.

    Attributes:
        started_at_ms: Event time of the activity that began it.
        active_at_ms: Of the last activity in it.
        ends_at_ms: When it ends, or has ended: the gap later.
        ended: Whether it has.
        first: Whether it is the user's first, who had done nothing before it.
        known_at_ms: When its end was learnt of, where that was later; else 0.
    """

    started_at_ms: int
    active_at_ms: int
    ends_at_ms: int
    ended: bool = False
    first: bool = False
    known_at_ms: int = 0


class User(msgspec.Struct, omit_defaults=True, eq=False, gc=False):
    """One user's state machine; also the alarm of his next deadline (`engine.timers`).

    An empty mapping may be one that users share (`new_user`): whoever adds to an empty one puts
    another in its place.

    Attributes:
        user_id: The id that clients use.
        seen: Number of the last input applied; a replay skips what is not beyond it.
        last_seen_at_ms: When the user last did something; 0 for never.
        fired_at_ms: The newest deadline that fired; 0 for none.
        due_at_ms: The next instant at which something happens by time alone, or `NEVER`.
        held_until_ms: After a downtime, overdue deadlines wait until then.
        unsaved: Whether he has seen an input that is in no saved state of his; not saved itself.
        traits: What identify calls said.
        traits_bytes: What they take as they are saved, at the most (`traits.tell`).
        identified_at_ms: Event time of the newest identify call; 0 where there was none, or it came
            to a version that did not keep it.
        history: Event name to packed instants (`history.instants_of`); only what the plan asks for.
        entries: Campaign and `per` value to the newest enrollment's start, and how many started
            at that very instant (`entered`).
        late_entries: How many enrollments started behind one that had started already.
        suppressed: Channel to the address that the provider refused for good.
        refused: His last refusals, packed (`refusals`).
        collections: By name, what he has in his cart and the like; only what the plan asks for.
        pending: The messages under way to him (`waiting`).
        details: Event name to what is kept of its events besides their instants.
        scores: Model to its latest word on the user; only of models that the plan asks for.
        session: The one under way, or the last; None where none was, or nothing asks for sessions.
        watch: How conditions were answered; None where none was asked of him yet.
        drawn: The variant that he got, by experiment (`experiments`).
        aliases: Ids that were merged into this one, with the instant (`aliases`).
        is_anonymous: Known by nothing but an id that a device has drawn, so far.
        ended: Enrollments that came to their end and still await their goal, in that order.
        rapport: How he answers, and what he agreed to; None where he never said or did anything.
        armed_at_ms: Where the timer wheel looks at him next, or `NEVER`; its own, and not saved.
    """

    # In order of use: what almost every input asks is in the first cache line.
    user_id: str
    seen: int = 0
    due_at_ms: int = NEVER
    last_seen_at_ms: int = 0
    fired_at_ms: int = 0
    armed_at_ms: int = NEVER
    unsaved: bool = False
    held_until_ms: int = 0
    history: dict[str, bytes] = {}
    details: dict[str, Details] = {}
    enrollments: tuple[Enrollment, ...] = ()
    pending: Waiting = ()
    entries: Entries = ()
    watch: Watch | None = None
    session: Session | None = None
    traits: dict[str, Any] = {}
    collections: dict[str, Collected] = {}
    late_entries: int = 0
    suppressed: dict[str, str] = {}
    refused: str = ""
    traits_bytes: int = 0
    identified_at_ms: int = 0
    scores: dict[str, float] = {}
    drawn: dict[str, str] = {}
    aliases: dict[str, int] = {}
    is_anonymous: bool = False
    ended: tuple[Ended, ...] = ()
    rapport: Rapport | None = None

    merged_into: ClassVar[str] = (
        ""  # of a user nobody; whose alias an id is that is none (`Merged`)
    )

    @property
    def applied_at_ms(self) -> int:
        """The newest event time or fired deadline: what lies before it comes late."""
        return max(self.last_seen_at_ms, self.fired_at_ms)

    @property
    def refusals(self) -> list[tuple[int, str, str]]:
        """The last refusals: (at_ms, campaign, reason), newest last."""
        return unpack(self.refused)


class Merged(User):
    """An id that became another user's: none of its own, since a field is 16 bytes a user."""

    merged_into: str = ""  # type: ignore[misc]  # a field here alone


def new_user(user_id: str) -> User:
    """A user of whom nothing is known yet."""
    return User(
        user_id,
        traits=NOTHING,
        history=NOTHING,
        suppressed=NOTHING,
        collections=NOTHING,
        details=NOTHING,
        scores=NOTHING,
        drawn=NOTHING,
        aliases=NOTHING,
    )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(User)
_merged_decoder = msgspec.msgpack.Decoder(Merged)


def encode_user(user: User) -> bytes:
    """A user as bytes. O(size of the state)."""
    armed_at_ms, unsaved, waiting = user.armed_at_ms, user.unsaved, user.pending
    if armed_at_ms is NEVER and not unsaved and not waiting:
        return _encoder.encode(user)  # what is left out is known by being the default
    user.armed_at_ms, user.unsaved = NEVER, False
    if waiting:
        user.pending = by_id(waiting)
    data = _encoder.encode(user)
    user.armed_at_ms, user.unsaved, user.pending = armed_at_ms, unsaved, waiting
    return data


def decode_user(data: bytes) -> User:
    """The inverse of `encode_user`. Raises `msgspec.DecodeError` on anything else."""
    if b"merged_into" in data and (merged := _merged_decoder.decode(data)).merged_into:
        return merged
    user = _decoder.decode(data)
    share(user)
    return user


def encode_merged(user_id: str, into: User) -> bytes:
    """What is saved under an id that was merged into another user's: whose it is."""
    return _encoder.encode(Merged(user_id, merged_into=into.user_id))


def drop(user: User, enrollment: Enrollment) -> None:
    """Take an enrollment that came to its end from its user. O(enrollments)."""
    enrollments = user.enrollments
    if len(enrollments) == 1:
        user.enrollments = ()
    else:
        user.enrollments = tuple([one for one in enrollments if one is not enrollment])


def stands(user: User) -> bool:
    """Whether anything of the user's has its place in the plan, and must find it in another."""
    inside = user.enrollments or user.pending
    return bool(inside or user.collections or user.scores or user.session or user.watch)


def first_due_at_ms(user: User) -> int:
    """The user's earliest deadline, held back or not, or `NEVER`. O(enrollments + conditions)."""
    due_at_ms = min([enrollment.due_at_ms for enrollment in user.enrollments], default=NEVER)
    if user.watch is not None and user.watch.alarms:
        due_at_ms = min(due_at_ms, *user.watch.alarms.values())
    session = user.session
    if session is not None and not session.ended:
        due_at_ms = min(due_at_ms, max(session.ends_at_ms, session.known_at_ms))
    return due_at_ms


def reckon(user: User) -> None:
    """Set `due_at_ms` anew. O(enrollments + conditions)."""
    if user.watch is not None or user.session is not None or len(user.enrollments) > 1:
        due_at_ms = first_due_at_ms(user)
    else:
        due_at_ms = user.enrollments[0].due_at_ms if user.enrollments else NEVER
    if due_at_ms < user.held_until_ms:
        due_at_ms = user.held_until_ms
    if due_at_ms is not user.due_at_ms:  # most often it is `NEVER`, and a store is dear
        user.due_at_ms = due_at_ms
