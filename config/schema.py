"""Every key of a shop's YAML files: what it means, and whether this version has it.

The keys of the campaign language are public interface from the first version on. One that is still
to be built is refused by name, never passed over.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Key(msgspec.Struct, frozen=True):
    """One key.

    Attributes:
        name: As it is written.
        later: Why it cannot be used yet; empty for a key that this version has.
    """

    name: str
    later: str = ""


def _keys(*keys: str | Key) -> dict[str, Key]:
    named = (Key(key) if isinstance(key, str) else key for key in keys)
    return {key.name: key for key in named}


CAMPAIGN: Final = _keys(
    "campaign",
    "description",
    "status",
    "purpose",
    "priority",
    "audience",
    "enter",
    "exit",
    "steps",
    "goal",
    "holdout",
    "group",
    "topic",
    "tracking",
)
"""Keys of a campaign."""

TRACKING: Final = _keys("opens", "clicks", "utm")
"""Keys of `tracking`."""

UTM: Final = _keys("source", "medium", "campaign", "content", "term")
"""Keys of `utm`."""

ENTER: Final = _keys(
    "event",
    "when",
    "per",
    "reentry",
    "while_active",
    "manual",
    "segment",
    "backfill",
)
"""Keys of `enter`."""

GOAL: Final = _keys("event", "when", "within", "value")
"""Keys of `goal`."""

EXIT: Final = _keys("event", "when")
"""Keys of `exit`."""

WAIT: Final = _keys(
    "when",
    "at_most",
    "then",
    "else",
    "event",
    "until",
    "days",
    "timezone",
)
"""Keys of a `wait` that is no duration."""

CHOICE: Final = _keys("when", "steps", "else")
"""Keys of a branch of `choose`."""

REPEAT: Final = _keys("times", "every", "until", "steps")
"""Keys of `repeat`."""

EMIT: Final = _keys("event", "properties")
"""Keys of `emit`."""

SPLIT: Final = _keys("name", "variants", "mode")
"""Keys of a `split`."""

VARIANT: Final = _keys("weight", "steps")
"""Keys of one of its variants."""

SEGMENT: Final = _keys("when", "description")
"""Keys of a segment that is more than its condition."""

STEPS: Final = _keys(
    "wait",
    "send",
    "if",
    "exit",
    "choose",
    "split",
    "set",
    "emit",
    "repeat",
)
"""What a step can be; each step has exactly one of these keys."""

STEP_KEYS: Final[dict[str, dict[str, Key]]] = {
    "wait": _keys("wait", "id"),
    "send": _keys("send", "template", "else", "expires", "id"),
    "if": _keys("if", "then", "else", "id"),
    "choose": _keys("choose", "id"),
    "split": _keys("split", "id"),
    "set": _keys("set", "id"),
    "emit": _keys("emit", "id"),
    "repeat": _keys("repeat", "id"),
    "exit": _keys("exit", "id"),
}
"""The keys of each step that this version has."""

TESTS: Final = _keys("start", "timezone", "users", "user", "campaign", "tests")
"""Keys of a file of shop tests."""

TEST: Final = _keys(
    *("test", "description", "start", "users", "user", "campaign"),
    *("given", "until", "expect", "expect_nothing"),
)
"""Keys of one shop test."""

GIVEN: Final = _keys(
    *("event", "identify", "alias", "score", "trigger", "fail", "recover"),
    *("at", "user", "received", "id", "properties", "value", "content", "reason"),
)
"""Keys of what is given in a shop test; each item has exactly one of `HAPPENINGS`."""

HAPPENINGS: Final[dict[str, tuple[str, ...]]] = {
    "event": ("received", "id", "properties"),
    "identify": ("received", "id"),
    "alias": ("received", "id"),
    "score": ("received", "id", "value"),
    "trigger": ("id", "content"),
    "fail": ("reason",),
    "recover": (),
}
"""What may be given, and the keys that go with each, beside `at` and `user`."""

SAYS: Final[dict[str, str]] = {
    "entered": "campaign",
    "refused": "reason",
    "sent": "channel",
    "skipped": "reason",
    "deferred": "channel",
    "delivered": "channel",
    "failed": "channel",
    "branched": "branch",
    "exited": "reason",
    "finished": "campaign",
    "goal": "campaign",
}
"""What may be expected in a shop test: a kind of record, and which of its fields stands behind it:
in `sent: email` it is the channel."""

EXPECT_FIELDS: Final[tuple[str, ...]] = (
    "campaign",
    "step",
    "channel",
    "template",
    "reason",
    "branch",
    "variant",
    "value",
)
"""Fields of a record that a shop test can ask for, word for word."""

EXPECT_TEXTS: Final[tuple[str, ...]] = ("subject", "title", "body")
"""Parts of a rendered message of which a shop test can say what they hold."""

EXPECT: Final = _keys(*SAYS, "at", "user", *EXPECT_FIELDS, *EXPECT_TEXTS)
"""Keys of what is expected in a shop test; each item has exactly one of `SAYS`."""

TRACKING_PLAN: Final = _keys("events", "identify", "additional")
"""Keys of a tracking plan."""

TRACKED_EVENT: Final = _keys("description", "passive", "properties", "additional")
"""Keys of an event in it."""

IDENTIFY: Final = _keys("traits", "additional")
"""Keys of what it says of identify calls."""

PROPERTY: Final = _keys(
    *("type", "description", "required", "enum", "min", "max", "pattern"),
    *("items", "properties", "additional"),
)
"""Keys of a property, or a trait, that is more than its type."""

NAMES: Final = frozenset(
    {
        *("event", "event_name", "content", "variant", "user", "now", "cart", "recent"),
        *("session.duration", "session.first"),
    }
)
"""What a condition can name; a shop's own collections come to it."""

EVENT_NAMES: Final = frozenset({"event", "event_name"})
"""Of those, what an event that is at hand brings."""

START_NAMES: Final = EVENT_NAMES | {"content"}
"""Of those, what comes with whatever began an enrollment, and nothing else has."""

FUNCTIONS: Final = frozenset(
    {
        *("count", "did", "sum", "avg", "min", "max", "distinct", "since", "last", "first", "idle"),
        *("received", "in_segment", "score", "visits"),
    }
)
"""The functions of history that a condition can call."""

TEMPLATE_NAMES: Final = frozenset(
    {"user", "event", "event_name", "content", "campaign", "variant", "cart", "recent"}
    | {"catalog", "coupons", "links"}
)
"""What a template can name; a shop's own collections come to it."""

MODES: Final = ("fixed", "bandit")
STATUSES: Final = ("live", "test", "draft", "paused", "archived")
PURPOSES: Final = ("marketing", "transactional")
WHILE_ACTIVE: Final = ("ignore", "restart")
PRIORITY_MAX: Final = 100
ID_LENGTH_MAX: Final = 100
"""Characters in the id of a campaign, a group, a step or an exit reason."""
