"""What the value of each key of a shop's YAML files looks like, in the words of JSON Schema.

For completion in editors (`completion` puts them together with the keys of `schema`). A shape says
what can be seen of a value without its shop: what kind it is, which words there are, how a duration
is written. Whether a condition compiles, or a template is there, is told by `hairspring check`.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from channels.base import CHANNEL_IDS
from config.schema import ID_LENGTH_MAX, MODES, PRIORITY_MAX, PURPOSES, STATUSES, WHILE_ACTIVE
from engine.core.calendar import DAYS
from engine.core.durations import UNITS_MS
from engine.core.intake.forms import KINDS
from engine.core.steps.repeats import TIMES_MAX

Shape: TypeAlias = dict[str, Any]
"""A JSON Schema, or a part of one (draft 2020-12)."""

DURATION: Final[Shape] = {
    "type": "string",
    "pattern": "^(?=[0-9])" + "".join(f"([0-9]{{1,15}}{unit})?" for unit in UNITS_MS) + "$",
}
"""As `durations.parse_duration_ms` reads it."""

SHARE: Final[Shape] = {"type": "string", "pattern": r"^\s*[0-9]{1,3}(\.[0-9]{1,4})?\s*%\s*$"}
"""As `quantities.parse_share` reads it."""

TEXT: Final[Shape] = {"type": "string", "pattern": r"\S"}
_CHANNEL: Final[Shape] = {"enum": list(CHANNEL_IDS)}
_CONDITION: Final[Shape] = {"type": ["string", "boolean"], "pattern": r"\S"}
_STEPS: Final[Shape] = {"$ref": "#/$defs/steps"}
_ID: Final[Shape] = {
    "type": "string",
    "pattern": rf"^[a-z0-9][a-z0-9-]{{0,{ID_LENGTH_MAX - 1}}}$",
}
_FLAG: Final[Shape] = {"type": "boolean"}
_MAP: Final[Shape] = {"type": ["object", "null"]}
_INSTANT: Final[Shape] = {"type": ["string", "integer"], "pattern": r"^([+-]|[0-9]{4})"}
_START: Final[Shape] = {"type": "string", "pattern": "^[0-9]{4}"}
_CLOCK: Final[Shape] = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}


def said(shape: Shape, description: str) -> Shape:
    """A shape with what an editor tells of it."""
    return {**shape, "description": description}


def either(*shapes: Shape) -> Shape:
    """One of several shapes."""
    return {"anyOf": list(shapes)}


def some(shape: Shape) -> Shape:
    """One, or a list of at least one, each once."""
    return either(shape, {"type": "array", "items": shape, "minItems": 1, "uniqueItems": True})


def a_list(shape: Shape) -> Shape:
    """A list of any length."""
    return {"type": "array", "items": shape}


CAMPAIGN: Final[dict[str, Shape]] = {
    "campaign": said(_ID, "the id: a-z, 0-9 and -"),
    "description": said(TEXT, "a line for people; templates see it"),
    "status": said({"enum": list(STATUSES)}, "test: for testers alone"),
    "purpose": said({"enum": list(PURPOSES)}, "transactional needs no marketing consent"),
    "priority": said(
        {"type": "integer", "minimum": 0, "maximum": PRIORITY_MAX},
        "where several are due at one instant, the higher goes first; default 50",
    ),
    "audience": said(_CONDITION, "a condition, asked at entry"),
    "enter": said({"$ref": "#/$defs/enter"}, "how users come in"),
    "exit": said({"$ref": "#/$defs/exit"}, "how they leave early"),
    "steps": said(_STEPS, "what happens to them, in order"),
    "goal": said({"$ref": "#/$defs/goal"}, "what it is to bring about"),
    "holdout": said(SHARE, "the share of entrants who are sent nothing"),
    "group": said(_ID, "a user is in one campaign of a group at most"),
    "topic": said(_ID, "what it is about, for those who want no more of that"),
    "tracking": said({"$ref": "#/$defs/tracking"}, "what it says over the shop's [tracking]"),
}
TRACKING: Final[dict[str, Shape]] = {
    "opens": said(_FLAG, "whether HTML mails have a pixel"),
    "clicks": said(_FLAG, "whether links lead over this process"),
    "utm": said({"$ref": "#/$defs/utm"}, "what links get as utm_…"),
}
UTM: Final[dict[str, Shape]] = {
    "source": said(TEXT, "utm_source"),
    "medium": said(TEXT, "utm_medium"),
    "campaign": said(TEXT, "utm_campaign"),
    "content": said(TEXT, "utm_content"),
    "term": said(TEXT, "utm_term"),
}
ENTER: Final[dict[str, Shape]] = {
    "event": said(some(TEXT), "the name of the event that enters, or a list of names"),
    "when": said(_CONDITION, "asked when the event arrives; without one: as it becomes true"),
    "per": said({"type": "string"}, "one enrollment for each user and value of this"),
    "reentry": said(
        either({"enum": ["always", "never"]}, DURATION), "when somebody may come in again"
    ),
    "while_active": said({"enum": list(WHILE_ACTIVE)}, "what another such event does meanwhile"),
    "manual": said(_FLAG, "only by hand: hairspring trigger"),
    "segment": said(TEXT, "as somebody comes into this segment"),
    "backfill": said(_FLAG, "those too of whom it is true already"),
}
EXIT: Final[dict[str, Shape]] = {
    "event": said(some(TEXT), "the event that ends it at once, or a list of them"),
    "when": said(_CONDITION, "ends it at the instant at which this is true"),
}
WAIT: Final[dict[str, Shape]] = {
    "when": said(_CONDITION, "until the instant at which this is true"),
    "at_most": said(DURATION, "no longer than that"),
    "then": said(_STEPS, "steps, where it came about"),
    "else": said(_STEPS, "steps, where the time was up"),
    "event": said(some(TEXT), "until this event"),
    "until": said(_CLOCK, "until the next such local time"),
    "days": said(some({"enum": list(DAYS)}), "on these days: mon, tue, …"),
    "timezone": said(TEXT, "an IANA time zone; default the user's"),
}
GOAL: Final[dict[str, Shape]] = {
    "event": said(some(TEXT), "the event that is the goal, or a list of them"),
    "when": said(_CONDITION, "asked of that event"),
    "within": said(DURATION, "how long after the entry it counts; default 7d"),
    "value": said({"type": ["string", "number"]}, "an expression: what it is worth"),
}
SEGMENT: Final[dict[str, Shape]] = {
    "when": said(_CONDITION, "the condition"),
    "description": said(TEXT, "a line for people"),
}
_ANSWERS: Final[Shape] = {"type": "object", "additionalProperties": _FLAG}
_TRAITS: Final[dict[str, Shape]] = {
    **{
        name: {"type": ["string", "null"]}
        for name in ("email", "phone", "timezone", "locale", "name", "first_name")
    },
    "consent": said(
        either(
            {"enum": [False, None]},
            {"type": "string", "pattern": "^="},
            {
                "type": "object",
                "properties": {**dict.fromkeys(CHANNEL_IDS, _FLAG), "topics": _ANSWERS},
                "additionalProperties": False,
            },
        ),
        "a yes or no by channel, and under topics by topic; false: a no to everything",
    ),
}
STEP: Final[dict[str, dict[str, Shape]]] = {
    "wait": {
        "wait": said(either(DURATION, {"$ref": "#/$defs/wait"}), "for a time, or until something")
    },
    "send": {
        "send": said({"enum": [*CHANNEL_IDS, "preferred"]}, "the channel"),
        "template": said(TEXT, "NAME of templates/NAME.CHANNEL.liquid"),
        "else": said(some(_CHANNEL), "channels to try in its place, in order"),
        "expires": said(DURATION, "later than this it is not sent"),
    },
    "if": {
        "if": said(_CONDITION, "a condition"),
        "then": said(_STEPS, "steps, where it holds"),
        "else": said(_STEPS, "steps, where it does not"),
    },
    "exit": {"exit": said(TEXT, "ends the enrollment with this reason")},
    "choose": {
        "choose": said(
            {"type": "array", "items": {"$ref": "#/$defs/choice"}, "minItems": 1},
            "branches: the first that holds is taken",
        )
    },
    "split": {"split": said({"$ref": "#/$defs/split"}, "users drawn to variants")},
    "set": {
        "set": said(
            {"type": "object", "minProperties": 1, "properties": _TRAITS},
            "traits; `=CEL` is worked out",
        )
    },
    "emit": {"emit": said({"$ref": "#/$defs/emit"}, "an event of the engine's own")},
    "repeat": {"repeat": said({"$ref": "#/$defs/repeat"}, "steps, again and again")},
}
CHOICE: Final[dict[str, Shape]] = {
    "when": said(_CONDITION, "takes this branch, if it holds"),
    "steps": said(_STEPS, "steps of the branch"),
    "else": said(_STEPS, "steps, where none before held"),
}
REPEAT: Final[dict[str, Shape]] = {
    "times": said({"type": "integer", "minimum": 1, "maximum": TIMES_MAX}, "how often at most"),
    "every": said(DURATION, "how long lies between two beginnings"),
    "until": said(_CONDITION, "no more, once this is true"),
    "steps": said(_STEPS, "what is repeated"),
}
EMIT: Final[dict[str, Shape]] = {
    "event": said(TEXT, "its name"),
    "properties": said(_MAP, "its properties; `=CEL` is worked out"),
}
SPLIT: Final[dict[str, Shape]] = {
    "name": said(TEXT, "the experiment's name"),
    "variants": said(
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/variant"}},
        "variants by name, each with its weight and steps",
    ),
    "mode": said({"enum": list(MODES)}, "bandit: what brings about the goal weighs more"),
}
VARIANT: Final[dict[str, Shape]] = {
    "weight": said(
        {"type": "number", "exclusiveMinimum": 0},
        "its share, beside the others'; a bandit may do without",
    ),
    "steps": said(_STEPS, "what its users go through"),
}
ID: Final[Shape] = said(
    {"type": "string", "pattern": r"\S", "maxLength": ID_LENGTH_MAX}, "the step's id"
)

_USERS: Final[Shape] = {"type": "object", "additionalProperties": _MAP}
TESTS: Final[dict[str, Shape]] = {
    "start": said(_START, "the instant that +0s is"),
    "timezone": said(TEXT, "an IANA time zone; default the shop's"),
    "users": said(_USERS, "users by id, each with a map of traits"),
    "user": said(TEXT, "who is meant where nobody is named"),
    "campaign": said(some(TEXT), "what the tests are about; default all of the shop"),
    "tests": said(a_list({"$ref": "#/$defs/test"}), "the tests"),
}
TEST: Final[dict[str, Shape]] = {
    **{name: TESTS[name] for name in ("start", "users", "user", "campaign")},
    "test": said(TEXT, "what is true, in a few words"),
    "description": said(TEXT, "more words, for people"),
    "given": said(a_list({"$ref": "#/$defs/given"}), "what happens"),
    "until": said(_INSTANT, "the last instant"),
    "expect": said(a_list({"$ref": "#/$defs/expected"}), "what is to come of it, in order"),
    "expect_nothing": said({"const": True}, "not even an entry"),
}
GIVEN: Final[dict[str, Shape]] = {
    "at": said(_INSTANT, "when: +30m after the start, or an instant"),
    "user": said(TEXT, "to whom"),
    "event": said(TEXT, "a user does something"),
    "properties": said(_MAP, "of the event"),
    "identify": said(_MAP, "a map of traits"),
    "alias": said(TEXT, "another id of the user's: the two become one"),
    "score": said(TEXT, "a model's word on the user"),
    "value": said({"type": "number", "minimum": 0, "maximum": 1}, "the score"),
    "trigger": said(TEXT, "a campaign is started by hand"),
    "content": said(_MAP, "what is told to the campaign with it"),
    "fail": said(_CHANNEL, "deliveries on this channel fail from here on"),
    "recover": said(_CHANNEL, "they succeed again"),
    "reason": said(TEXT, "why they fail"),
    "received": said(_INSTANT, "when it comes in, if later"),
    "id": said(TEXT, "taken once"),
}

TYPE: Final[Shape] = {"enum": list(KINDS)}
_NAMED: Final[Shape] = {
    "type": "object",
    "additionalProperties": {"$ref": "#/$defs/property"},
    "propertyNames": {"pattern": r'^[^\\"\x00-\x1f]*[^\\"\x00-\x20][^\\"\x00-\x1f]*$'},
}
_ADDITIONAL: Final[Shape] = {"enum": ["allow", "forbid"]}
TRACKING_PLAN: Final[dict[str, Shape]] = {
    "events": said(
        {
            "type": "object",
            "additionalProperties": either({"$ref": "#/$defs/event"}, {"type": "null"}),
            "propertyNames": _NAMED["propertyNames"],
        },
        "each event that the shop sends, by its name",
    ),
    "identify": said({"$ref": "#/$defs/identify"}, "what identify calls say"),
    "additional": said(_ADDITIONAL, "whether other events may come; default allow"),
}
TRACKED_EVENT: Final[dict[str, Shape]] = {
    "description": said(TEXT, "for people"),
    "passive": said(_FLAG, "nothing that the user did: he is as idle by it as before"),
    "properties": said(_NAMED, "each property: its type, or a map"),
    "additional": said(_ADDITIONAL, "whether it may have other properties; default allow"),
}
IDENTIFY: Final[dict[str, Shape]] = {
    "traits": said(_NAMED, "each trait: its type, or a map"),
    "additional": said(_ADDITIONAL, "whether others may be said; default allow"),
}
PROPERTY: Final[dict[str, Shape]] = {
    "type": said(TYPE, "what it is; default any, or what the other keys say"),
    "description": said(TEXT, "for people"),
    "required": said(_FLAG, "it must be there; what need not may also be null"),
    "enum": said(
        {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
        "all values that there are",
    ),
    "min": said({"type": "number"}, "the least number, or characters, or items"),
    "max": said({"type": "number"}, "the most"),
    "pattern": said(TEXT, "a regular expression (RE2) that is found in the text"),
    "items": said({"$ref": "#/$defs/property"}, "what each item of an array is"),
    "properties": said(_NAMED, "of an object"),
    "additional": said(_ADDITIONAL, "whether an object may have others; default allow"),
}
