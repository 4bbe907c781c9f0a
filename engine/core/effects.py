"""What comes out of the core, in the imperative, released only after its cause is durable."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from engine.core.inputs import UserIdentified

Kind: TypeAlias = Literal[
    "entered",
    "refused",
    "sent",
    "skipped",
    "deferred",
    "delivered",
    "failed",
    "branched",
    "exited",
    "finished",
    "goal",
    "opened",
    "clicked",
    "unsubscribed",
]


NO_SNAPSHOT = msgspec.Raw(b"")

REASON_LENGTH_MAX: Final = 500
"""Characters of why a delivery failed that are kept; providers and templates may say more."""


class Record(msgspec.Struct, omit_defaults=True, gc=False):
    """One thing that happened to one enrollment; the core's log.

    Attributes:
        at_ms: The due instant for what a deadline did, logical now for what an input did at once.
        user_id: Whose enrollment it is.
        campaign: The campaign's id.
        kind: What happened.
        enrollment: The enrollment's id; "" for a refusal, which made none.
        step: The step's id, where a step did it.
        channel: The channel, where a message is meant.
        template: The template's name, where a message is meant.
        reason: Why, for `refused`, `skipped`, `failed` and `exited`; `holdout` for one that
            `entered` to be sent nothing, for its exposures and its goal.
        message: The effect id, where a message is meant; of a `goal` that of its last touch.
        branch: Which way, for `branched` by a condition: `then` or `else`.
        variant: That of the newest split that the enrollment had gone by, where it had.
        judged_at_ms: When guardrails were asked, where that differs from `at_ms` by a second or
            more (a downtime lay between); else 0.
        until_ms: Of `deferred`: when it is asked again; else 0.
        value: Of a `goal`, what it is worth; None where nothing is said of that.
        link: Of `clicked`, the address that the link leads to.
        response_ms: Of what a message was answered with: how long after it was sent; else 0.
        variants: Of `branched` by a split and of `goal`, where the campaign has several splits:
            (split, variant) of each that the enrollment had gone by; else none.
        touch: Of a `goal` that names a message: whether it was `clicked`, or `delivered` alone.
    """

    at_ms: int
    user_id: str
    campaign: str
    kind: Kind
    enrollment: str = ""
    step: str = ""
    channel: str = ""
    template: str = ""
    reason: str = ""
    message: str = ""
    branch: str = ""
    judged_at_ms: int = 0
    variant: str = ""
    until_ms: int = 0
    value: float | None = None
    link: str = ""
    response_ms: int = 0
    variants: tuple[tuple[str, str], ...] = ()
    touch: str = ""


class SendMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """Deliver one message to one person, once, under this id.

    Attributes:
        id: The effect id: idempotency key at the provider, primary key in the outbox.
        at_ms: When it was judged fit to go.
        expires_at_ms: Not handed over later than this; 0 never expires.
        snapshot: A JSON object with what the template may name (`user`, `event`, …), taken at the
            step. Empty for a fallback, which takes over the snapshot of `fallback_of`.
        fallback_of: The id of the failed message that this one stands in for, or "".
        more: Whether a further fallback reaches the user, should this one fail.
        urgent: Whether it is transactional, and so goes before those that are not.
    """

    id: str
    at_ms: int
    user_id: str
    campaign: str
    enrollment: str
    step: str
    channel: str
    template: str
    snapshot: msgspec.Raw = NO_SNAPSHOT
    expires_at_ms: int = 0
    fallback_of: str = ""
    more: bool = False
    urgent: bool = False


class CancelMessage(msgspec.Struct, gc=False):
    """Take a message back if it was not handed over yet; the dispatcher reports which it was."""

    id: str
    reason: str
    user_id: str


class CloseMessage(msgspec.Struct, gc=False):
    """A delivery came to its end.

    Attributes:
        dead: Keeps the message among the dead letters, with what follows.
        reason: Why it failed.
        at_ms: When that was known.
        attempts: How many were made.
        pending: What its user knew of it, as JSON (`sending.revive` takes it back); b"": nothing.
    """

    id: str
    dead: bool = False
    reason: str = ""
    at_ms: int = 0
    attempts: int = 0
    pending: bytes = b""


class ReviveMessage(msgspec.Struct, gc=False):
    """Take a message back from the dead letters: it is to be delivered after all."""

    id: str
    channel: str
    urgent: bool


class QuarantineInput(msgspec.Struct, gc=False):
    """A call that what is known of its users stands against: keep it, with the reason.

    Attributes:
        identified: An identify or alias call, as it came.
        path: Where in it the fault lies, as `$.traits`.
        reason: What is wrong, in words for a person.
        is_alias: Whether it was an alias call.
    """

    identified: UserIdentified
    path: str
    reason: str
    is_alias: bool = False


class ConditionFailed(msgspec.Struct, frozen=True, gc=False):
    """A condition of a campaign ended in an error, and so was not true: it is counted."""

    campaign: str


class CountArm(msgspec.Struct, frozen=True, gc=False):
    """Count for a bandit that a variant was shown, or that one which was has reached the goal."""

    campaign: str
    split: str
    variant: str
    has_reached: bool = False


class CountTime(msgspec.Struct, frozen=True, gc=False):
    """Count one more time of a `repeat` for whoever tells where enrollments got to.

    Attributes:
        step: The id of the repeat.
    """

    campaign: str
    enrollment: str
    step: str


class AnswerStart(msgspec.Struct, frozen=True, gc=False):
    """Tell whoever started a campaign by hand what came of it, once that is durable.

    Attributes:
        enrollment: The id of the enrollment that began, or "".
        reason: Why none did, as in the record of the refusal, or "".
    """

    enrollment: str = ""
    reason: str = ""


Effect: TypeAlias = (
    Record
    | SendMessage
    | CancelMessage
    | CloseMessage
    | ReviveMessage
    | QuarantineInput
    | ConditionFailed
    | AnswerStart
    | CountArm
    | CountTime
)

_TELLING = frozenset({ConditionFailed, QuarantineInput, AnswerStart, CountTime})
"""What is kept in no user, and for nobody who asks later."""


def is_refusal(effect: Effect) -> bool:
    """Whether it only tells of something that was not granted, and a replay makes it again."""
    if type(effect) is Record:
        return effect.kind == "refused"
    return type(effect) in _TELLING


def have_effect(effects: list[Effect], start: int) -> bool:
    """Whether anything from a place on is more than a refusal, so that its user is saved with it.

    A refusal is kept in the user alone: a replay makes it again.
    """
    # As `is_refusal`, without a call each: this is asked of nearly every input that did anything.
    for effect in effects[start:]:
        if type(effect) is Record:
            if effect.kind != "refused":
                return True
        elif type(effect) not in _TELLING:
            return True
    return False
