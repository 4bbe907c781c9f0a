"""What goes into the core: everything undetermined, in the past tense, stamped when applied.

All instants are integer milliseconds since the Unix epoch, UTC. `at_ms` is the logical instant at
which the core took the input; 0 until the processor stamps it. They are journaled as JSON lines.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

from engine.core.steps.overruled import OfOperator

EMPTY = msgspec.Raw(b"{}")

Answer: TypeAlias = Literal[
    "opened", "clicked", "dismissed", "unsubscribed", "complained", "bounced", "delivered"
]
"""What can be done to a message once it is delivered."""


class EventReceived(msgspec.Struct, tag="event", omit_defaults=True, gc=False):
    """A user did something: a track, page or screen call.

    Attributes:
        user_id: Who did it.
        name: The event's name.
        occurred_at_ms: Event time `t`; never later than `received_at_ms`.
        received_at_ms: When the socket took it; it only bounds the event's own time.
        properties: A JSON object, undecoded until a condition asks for it.
        message_id: The client's id for duplicates; "" is never a duplicate.
        is_anonymous: Whether the id is one that the client's device has drawn (`anonymousId`), and
            nobody's name.
    """

    user_id: str
    name: str
    occurred_at_ms: int
    received_at_ms: int
    properties: msgspec.Raw = EMPTY
    message_id: str = ""
    at_ms: int = 0
    is_anonymous: bool = False
    passive: ClassVar[bool] = False


class EventNoticed(EventReceived, tag="noticed"):
    """An event that is nothing the user did: a parcel left, a price fell (`passive: true`).

    It is kept, enters and ends as any event does; he is as idle by it as before, and in no session.
    """

    passive: ClassVar[bool] = True


class UserIdentified(msgspec.Struct, tag="identify", omit_defaults=True, gc=False):
    """Somebody said who a user is: traits to merge, one JSON object."""

    user_id: str
    occurred_at_ms: int
    received_at_ms: int
    traits: msgspec.Raw = EMPTY
    message_id: str = ""
    at_ms: int = 0
    is_anonymous: bool = False


class TraitsDefaulted(UserIdentified, tag="default_traits"):
    """Traits that hold where the user has none of that name (PostHog's `$set_once`)."""


class UsersMerged(UserIdentified, tag="merge"):
    """Two ids are one person's: who has the one goes on as both, and the other is an alias of his.

    Journaled only where that is news (`aliases`): whose the other id is follows from the inputs
    before.

    Attributes:
        user_id: Who goes on, and of whom `traits` are said.
        merged_id: The other id, of somebody known or never seen.
        is_alias: Said by an alias call, which joins users of any kind; else by an identify call
            with both ids.
        is_history: It was brought in: nobody enters a campaign by what it makes true.
    """

    merged_id: str = ""
    is_alias: bool = False
    is_history: bool = False


class UsersJoined(UsersMerged, tag="joined"):
    """`UsersMerged` as the core takes it, once two users are one: made anew by each replay.

    Attributes:
        awaited: By enrollment, events of the other user that it may have waited for, in order.
    """

    awaited: dict[str, list[EventReceived]] = {}


class UserScored(msgspec.Struct, tag="score", omit_defaults=True, gc=False):
    """A model's word on a user, from 0.0 to 1.0; its latest one counts."""

    user_id: str
    model: str
    score: float
    occurred_at_ms: int
    received_at_ms: int
    message_id: str = ""
    at_ms: int = 0
    is_anonymous: bool = False


class TriggerReceived(msgspec.Struct, tag="trigger", omit_defaults=True, gc=False):
    """Somebody starts a campaign for a user by hand: `enter.when` is not asked, the rest is.

    The enrollment's clock starts when the core takes it. It is nothing that the user did.

    Attributes:
        campaign: The campaign's id; of one that is not there, the entry is refused.
        received_at_ms: When the socket took it.
        content: What conditions and templates may name as `content`: a JSON object.
        message_id: The client's id for duplicates; "" is never a duplicate.
    """

    user_id: str
    campaign: str
    received_at_ms: int
    content: msgspec.Raw = EMPTY
    message_id: str = ""
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False

    @property
    def occurred_at_ms(self) -> int:
        """It happens as it is received."""
        return self.received_at_ms


class EventImported(EventReceived, tag="imported_event"):
    """History: an event that a shop brought in, however old. Nobody enters a campaign by it.

    It is in the user's history, and it ends what it ends: an import never makes a message go, and
    may keep one from going.
    """

    passive: bool = False  # type: ignore[misc]  # a field here alone


class TraitsImported(UserIdentified, tag="imported_traits"):
    """History: traits that were said. What was said later stays; by a `default`, also what was."""

    default: bool = False


class SentMessage(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """What is to be known of a message when somebody answers to it, long after it was delivered.

    Its links bring it, signed: nothing of a message is kept with its user until he answers.

    Attributes:
        id: The effect id.
        enrollment, campaign, step, channel, template, variant: As in its record `sent`.
        sent_at_ms: When it was judged fit to go.
    """

    id: str
    channel: str
    campaign: str = ""
    enrollment: str = ""
    step: str = ""
    template: str = ""
    variant: str = ""
    sent_at_ms: int = 0


class MessageAnswered(EventReceived, tag="answered"):
    """Somebody opened a message, clicked a link in it, unsubscribed by it, …; or a machine did.

    What a person does is an event as any other, by the name that Segment has for it, and counts as
    something that the user did. What a machine does (a mail provider's image proxy, a link
    scanner) bears no name, is recorded, and nothing else comes of it (`answers`).

    Attributes:
        answer: What was done.
        sent: The message.
        link: The address that a clicked link leads to.
        machine: Why it is taken for a machine's doing, in a word; "" for a person's.
    """

    answer: Answer = "opened"
    sent: SentMessage = SentMessage("", "")
    link: str = ""
    machine: str = ""


class ConsentStated(msgspec.Struct, tag="consent", omit_defaults=True, gc=False):
    """A user said yes or no to channels or topics, or an address was suppressed or freed.

    Attributes:
        source: How it came, in a word that the proof keeps: `one-click`, `preferences`, ….
        channels: By channel id, yes or no.
        topics: By topic, yes or no.
        suppressed: By channel id: whether nothing more goes to the address that he has there.
    """

    user_id: str
    source: str
    occurred_at_ms: int
    received_at_ms: int
    channels: dict[str, bool] = {}
    topics: dict[str, bool] = {}
    suppressed: dict[str, bool] = {}
    message_id: str = ""
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False


class DeliveryReported(msgspec.Struct, tag="delivery", omit_defaults=True, gc=False):
    """A message's delivery came to an end.

    Attributes:
        effect_id: The message's id.
        outcome: `delivered`, the channel took it; `failed`, it never will; `cancelled`, it was
            taken back before hand-over.
        reason: Why it failed or was cancelled.
        bad_address: The address, where the provider said that it is no good: no further message
            goes there (suppression), until the user has another.
        gone: Endpoints of push subscriptions that are no more: they leave the trait `push`.
        attempts: How many were made.
    """

    user_id: str
    effect_id: str
    outcome: Literal["delivered", "failed", "cancelled"]
    reason: str = ""
    bad_address: str = ""
    gone: tuple[str, ...] = ()
    attempts: int = 0
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False
    message_id: ClassVar[str] = ""
    """Never a duplicate by id: one told twice finds nobody who waits for it."""


class LetterRevived(msgspec.Struct, tag="revived", omit_defaults=True, gc=False):
    """An operator wants a message of the dead letters delivered after all.

    Attributes:
        effect_id: The message's id.
        pending: What its user knew of it, as its `CloseMessage` kept that.
    """

    user_id: str
    effect_id: str
    pending: msgspec.Raw
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False
    message_id: ClassVar[str] = ""
    """Never a duplicate by id: one told twice finds the message under way."""


class TimeResumed(msgspec.Struct, tag="resumed", omit_defaults=True, gc=False):
    """The process was away: down between two runs, or stalled for a second or more.

    Deadlines up to `stopped_at_ms` had their turn before. What fell due after it and before
    `at_ms` waits until `at_ms + grace_ms`, whatever inputs come meanwhile (durability.md, rule 5).
    """

    stopped_at_ms: int
    grace_ms: int
    at_ms: int = 0


class ClockAdjusted(msgspec.Struct, tag="clock", omit_defaults=True, gc=False):
    """The wall clock was right and logical time went on from it: `at_ms`, after `stopped_at_ms`.

    What fell due in between is judged at `at_ms`, at once.
    """

    stopped_at_ms: int
    at_ms: int = 0
    grace_ms: ClassVar[int] = 0


class PlanChanged(msgspec.Struct, tag="plan", omit_defaults=True, gc=False):
    """From this instant on another configuration holds, or the same under another program.

    Attributes:
        plan_id: Names its stored content.
        engine: The program's version.
        tzdata: The release of its time-zone data; "" where it is not known.
    """

    plan_id: str
    engine: str = ""
    tzdata: str = ""
    at_ms: int = 0


class PlanAnnounced(msgspec.Struct, tag="announced", omit_defaults=True, gc=False):
    """A plan is to come into force: from this instant on, what it asks of the past is kept, too.

    Attributes:
        plan_id: Names its stored content.
    """

    plan_id: str
    at_ms: int = 0


class HistoryFound(msgspec.Struct, tag="found", omit_defaults=True, gc=False):
    """What the archive has of a user's past, for a plan that was announced.

    Attributes:
        found: `found.Found`, encoded: it stands in the place of what was kept of that.
    """

    user_id: str
    found: bytes
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False
    message_id: ClassVar[str] = ""
    """Never a duplicate by id: what is found twice is the same."""


class InputErased(msgspec.Struct, tag="erased", omit_defaults=True, gc=False):
    """In the place of an input whose user was erased; those behind it keep their numbers."""

    at_ms: int = 0


class UserErased(msgspec.Struct, tag="erasure", omit_defaults=True, gc=False):
    """A user is to be forgotten: all that was known of him is gone from this instant on.

    In the journal until his inputs are taken out of it, this one among them.
    """

    user_id: str
    at_ms: int = 0


class WeightsDrawn(msgspec.Struct, tag="weights", omit_defaults=True, gc=False):
    """From this instant on the variants of a split that is a bandit have other weights.

    Attributes:
        campaign: The campaign's id.
        split: The split's name in it.
        weights: By variant, above 0.
    """

    campaign: str
    split: str
    weights: dict[str, float]
    at_ms: int = 0


FromClient: TypeAlias = (
    EventReceived | EventNoticed | UserIdentified | TraitsDefaulted | UsersMerged | UserScored
)
"""What clients say of a user."""

Imported: TypeAlias = EventImported | TraitsImported | UsersMerged
"""History."""

OfDelivery: TypeAlias = DeliveryReported | LetterRevived | MessageAnswered
"""What became of a message."""

UserInput: TypeAlias = (
    FromClient | Imported | TriggerReceived | ConsentStated | OfDelivery | HistoryFound | OfOperator
)
"""What concerns one user."""

TimeSkipped: TypeAlias = TimeResumed | ClockAdjusted
"""Logical time that nobody lived through."""

OfPlan: TypeAlias = PlanAnnounced | PlanChanged
"""What concerns everybody, and names a plan."""

OfAll: TypeAlias = OfPlan | WeightsDrawn
"""What changes the plan for everybody, or what of it is in force."""

Input: TypeAlias = UserInput | TimeSkipped | OfAll | UserErased | InputErased

_encode_lines = msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder(Input).decode_lines


def encode_inputs(inputs: list[Input]) -> bytes:
    """Inputs as JSON lines, in order. O(total size)."""
    return _encode_lines(inputs)


def decode_inputs(lines: bytes) -> list[Input]:
    """The inverse of `encode_inputs`. Raises `msgspec.DecodeError` on anything else."""
    try:
        return _decode_lines(lines)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
