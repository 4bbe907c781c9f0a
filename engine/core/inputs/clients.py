"""What clients say of a user, live or as history."""

from __future__ import annotations

from typing import ClassVar

import msgspec

EMPTY = msgspec.Raw(b"{}")


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
