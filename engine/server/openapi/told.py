"""Answers that handlers make up as JSON objects, as types: what a client may rely on.

A member that is not listed may be there; one that has no default always is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from engine.core.reports.results import Messages
from engine.runtime.starting import Started
from engine.server.answers import Fault, Rejection

At: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        description="ISO 8601, UTC.",
        examples=["2026-11-23T09:00:00.000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
Share: TypeAlias = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Problem(msgspec.Struct):
    """Problem details (RFC 9457). `code` is stable and safe to match on."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[Fault] = []


class SdkFailure(msgspec.Struct):
    """An error as stock tracking SDKs read it."""

    success: bool
    code: str
    message: str
    detail: str
    errors: list[Fault] = []


class Success(msgspec.Struct):
    """What every stock SDK takes for a yes."""

    success: Literal[True]


class Accepted(msgspec.Struct):
    """How many items are durable, and which were not taken."""

    accepted: int
    rejected: list[Rejection]
    untracked: int = 0


class ScoresAccepted(msgspec.Struct):
    """The same, with what SDK routes say."""

    success: Literal[True]
    accepted: int
    rejected: list[Rejection]


class Heard(msgspec.Struct, omit_defaults=True):
    """What was taken of a webhook; or, where a subscription was confirmed, that alone."""

    accepted: int = 0
    rejected: list[Rejection] = []
    confirmed: bool = False


class TriggerTold(msgspec.Struct):
    """What came of a start: counts, and each user in the order of the body."""

    campaign: str
    entered: int
    refused: int
    known: int
    results: list[Started]
    rejected: list[Rejection] = []
    dry_run: bool = False


class Health(msgspec.Struct):
    """Alive, or ready."""

    status: Literal["alive", "ready"]


class SegmentSettings(msgspec.Struct):
    """What Segment's browser client asks for first."""

    integrations: dict[str, Any]
    plan: dict[str, Any]


class RudderSettings(msgspec.Struct):
    """What RudderStack's does."""

    source: dict[str, Any]


class PushKey(msgspec.Struct):
    """The public key for `PushManager.subscribe`, base64url."""

    key: str


class InboxMessage(msgspec.Struct, omit_defaults=True):
    """An in-app message; what it does not say is not there."""

    id: str
    at: At
    expires_at: At
    campaign: str
    step: str
    read: bool
    clicked: bool
    style: str = ""
    title: str = ""
    body: str = ""
    url: str = ""
    button: str = ""
    image: str = ""
    target: str = ""
    survey: str = ""
    choices: list[str] = []


class Inbox(msgspec.Struct):
    """A user's messages that have not expired and were not dismissed, newest first."""

    messages: list[InboxMessage]


class TrendHour(msgspec.Struct):
    """What a campaign did in one hour."""

    at: At
    entered: int
    sent: int
    converted: int
    goal_value: float


class CampaignLine(Messages, kw_only=True):
    """How a campaign does."""

    id: str
    description: str
    status: str
    purpose: str
    group: str
    entered: int
    held_out: int
    active: int
    attributed: dict[str, float | None]
    converted: int
    trend: list[TrendHour]


class Campaigns(msgspec.Struct):
    """All campaigns, in order of priority; `behind`: records that are still to be counted."""

    at: At
    currency: str
    behind: int
    campaigns: list[CampaignLine]


class Campaign(CampaignLine, kw_only=True):
    """One campaign in full: its steps, channels, experiments, and what it is worth over holdout."""

    at: At
    currency: str
    behind: int
    priority: int
    refused: dict[str, int]
    exited: dict[str, int]
    finished: int
    goal: dict[str, Any] | None
    goal_rate: Any
    response: dict[str, Any]
    lateness: dict[str, Any]
    steps: list[dict[str, Any]]
    channels: list[dict[str, Any]]
    experiments: list[dict[str, Any]]
    factorial: dict[str, Any] | None
    holdout: dict[str, Any] | None


class DueHour(msgspec.Struct):
    """Deadlines of one campaign in one hour: `due` by themselves, `asked` a condition then."""

    hour: At
    campaign: str
    due: int
    asked: int


class Deadlines(msgspec.Struct):
    """What is due, by hour; `later` is what lies behind the days that were asked for."""

    at: At
    users: int
    hours: list[DueHour]
    later: dict[str, int]


class SegmentDay(msgspec.Struct):
    """How large a segment was on a day."""

    day: str
    users: int
    total: int


class SegmentLine(msgspec.Struct):
    """A segment, how many are in it now, and its days."""

    segment: str
    users: int
    condition: str
    trend: list[SegmentDay]


class Segments(msgspec.Struct):
    """All segments."""

    at: At
    users: int
    segments: list[SegmentLine]


class UserState(msgspec.Struct, omit_defaults=True):
    """A user's state, instants in ISO 8601."""

    user_id: str
    traits: dict[str, Any] = {}
    history: dict[str, list[At]] = {}
    received: dict[str, list[At]] = {}
    details: dict[str, dict[str, Any]] = {}
    collections: dict[str, dict[str, Any]] = {}
    consents: list[dict[str, str]] = []
    suppressed: dict[str, str] = {}
    entries: list[dict[str, Any]] = []
    drawn: list[dict[str, str]] = []
    aliases: list[dict[str, str]] = []
    refusals: list[dict[str, str]] = []
    enrollments: list[dict[str, Any]] = []
    pending: dict[str, dict[str, Any]] = {}


class Snapshot(msgspec.Struct):
    """What templates may name: `user`, and each collection that the shop keeps."""

    user: dict[str, Any]


class TimelineLine(msgspec.Struct, omit_defaults=True):
    """Something that happened: an event, a start, a record of a campaign, an answer."""

    at: At
    kind: str
    campaign: str = ""
    event: str = ""
    message_id: str = ""


class Timeline(msgspec.Struct):
    """The newest lines, in order of time."""

    user_id: str
    timeline: list[TimelineLine]


class Export(msgspec.Struct):
    """Everything that is held of a user."""

    user_id: str
    made_at: At
    state: UserState | None
    events: list[dict[str, Any]]
    records: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    inbox: list[dict[str, Any]]
    coupons: list[dict[str, Any]]
    files: dict[str, list[Any]]
    quarantine: list[dict[str, Any]]
    earlier_states: list[dict[str, Any]]


class SuppressedLine(msgspec.Struct):
    """An address that nothing goes to, and how that came about."""

    user_id: str
    channel: str
    address: str
    source: str
    at: str = ""


class Suppressed(msgspec.Struct):
    """How many there are, and the first of them."""

    count: int
    suppressed: list[SuppressedLine]


class ConsentTold(msgspec.Struct):
    """What a user consents to now."""

    consent: Any
    suppressed: dict[str, str]


class TokenTold(msgspec.Struct):
    """A signed user token, and until when it is good."""

    token: str
    expires_at: At


class QuarantineItem(msgspec.Struct):
    """An item that could not be taken, where in it the fault is, and what."""

    number: int
    received_at: At
    source: str
    path: str
    reason: str
    body: Any


class QuarantinePage(msgspec.Struct):
    """Items, oldest first; `next` is what `after` is for the next page."""

    total: int
    items: list[QuarantineItem]
    next: int | None


class Letter(msgspec.Struct):
    """A message that failed for good; `said` are its provider's last words."""

    number: int
    id: str
    user_id: str
    campaign: str
    step: str
    channel: str
    template: str
    at: At
    failed_at: At | None
    attempts: int
    reason: Literal["gave_up", "template", "rejected"]
    said: str


class LettersPage(msgspec.Struct):
    """Dead letters, oldest first; `next` is what `after` is for the next page."""

    total: int
    deadletters: list[Letter]
    next: int | None


class Progress(msgspec.Struct):
    """How long work comes along."""

    done: int
    total: int


class Failed(msgspec.Struct):
    """What ended long work."""

    code: str
    message: str
    hint: str


class FailedLine(msgspec.Struct):
    """The last line, where it failed."""

    error: Failed
