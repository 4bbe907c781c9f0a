"""What became of a message, and what its recipient did with it."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

from engine.core.inputs.clients import EventReceived

Answer: TypeAlias = Literal[
    "opened", "clicked", "dismissed", "unsubscribed", "complained", "bounced", "delivered"
]
"""What can be done to a message once it is delivered."""

Bounce: TypeAlias = Literal["hard", "soft"]
"""How a message came back: its address is no good, or it was refused and the address may be."""


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
        at_hand_over: Whether its provider said so as it was to take it: it was not delivered, and
            the end of its delivery (`DeliveryReported`) is before this, and its record.
    """

    answer: Answer = "opened"
    sent: SentMessage = SentMessage("", "")
    link: str = ""
    machine: str = ""
    at_hand_over: bool = False


class DeliveryReported(msgspec.Struct, tag="delivery", omit_defaults=True, gc=False):
    """A message's delivery came to an end.

    Attributes:
        effect_id: The message's id.
        outcome: `delivered`, the channel took it; `failed`, it never will; `cancelled`, it was
            taken back before hand-over.
        reason: Why it failed or was cancelled.
        bad_address: The address, where the provider said that it is no good, of this message or
            of one to somebody else who has it: no further message
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
