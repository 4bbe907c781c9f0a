"""JSON Schemas of a shop's files (draft 2020-12), for completion in editors.

Made of the same tables that the files are read by (`schema`, `settings`), so that they cannot say
anything else: a key that is not built yet is not in them. What has no shape in `shapes` may be
anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config import shapes
from config.schema import (
    CAMPAIGN,
    CHOICE,
    EMIT,
    ENTER,
    EXIT,
    EXPECT,
    EXPECT_FIELDS,
    EXPECT_TEXTS,
    GIVEN,
    GOAL,
    HAPPENINGS,
    IDENTIFY,
    PROPERTY,
    REPEAT,
    SAYS,
    SEGMENT,
    SPLIT,
    STEP_KEYS,
    TEST,
    TESTS,
    TRACKED_EVENT,
    TRACKING,
    TRACKING_PLAN,
    UTM,
    VARIANT,
    WAIT,
)
from config.settings_shape import settings_shape
from config.shapes import Shape, said, some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from config.schema import Key

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def _fields(
    keys: Mapping[str, Key], known: Mapping[str, Shape], required: Iterable[str] = ()
) -> Shape:
    """A map with these keys and no others; those still to be built are left out."""
    return {
        "type": "object",
        "properties": {name: known.get(name, {}) for name, key in keys.items() if not key.later},
        "required": list(required),
        "additionalProperties": False,
    }


def _exactly_one(shape: Shape, keys: Iterable[str]) -> Shape:
    return {**shape, "oneOf": [{"required": [name]} for name in keys]}


def _one_or_more(shape: Shape, keys: Iterable[str]) -> Shape:
    return {**shape, "anyOf": [{"required": [name]} for name in keys]}


def _step(kind: str) -> Shape:
    required = [kind, "template"] if kind == "send" else [kind]
    known = {**shapes.STEP.get(kind, {}), "id": shapes.ID}
    return _fields(STEP_KEYS[kind], known, required)


def _campaign() -> Shape:
    enter = _fields(ENTER, shapes.ENTER)
    leave = _fields(EXIT, shapes.EXIT)
    return {
        **_fields(CAMPAIGN, shapes.CAMPAIGN, ["campaign", "enter", "steps"]),
        "$defs": {
            "enter": {**enter, "minProperties": 1},
            "exit": {**leave, "minProperties": 1},
            "wait": _one_or_more(_fields(WAIT, shapes.WAIT), ["when", "event", "until"]),
            "choice": _one_or_more(_fields(CHOICE, shapes.CHOICE), ["when", "else"]),
            "repeat": _fields(REPEAT, shapes.REPEAT, ["times", "steps"]),
            "goal": _fields(GOAL, shapes.GOAL, ["event"]),
            "tracking": _fields(TRACKING, shapes.TRACKING),
            "utm": _fields(UTM, shapes.UTM),
            "emit": _fields(EMIT, shapes.EMIT, ["event"]),
            "split": _fields(SPLIT, shapes.SPLIT, ["name", "variants"]),
            "variant": _fields(VARIANT, shapes.VARIANT, []),
            "steps": {
                "type": "array",
                "minItems": 1,
                "items": {"oneOf": [{"$ref": f"#/$defs/{kind}-step"} for kind in STEP_KEYS]},
            },
            **{f"{kind}-step": _step(kind) for kind in STEP_KEYS},
        },
    }


def _segments() -> Shape:
    condition = shapes.SEGMENT["when"]
    return {
        "type": "object",
        "additionalProperties": {
            "anyOf": [condition, _fields(SEGMENT, shapes.SEGMENT, ["when"])],
        },
    }


def _tests() -> Shape:
    expected: dict[str, Shape] = {
        **{kind: said(shapes.TEXT, f"happened; this is its {SAYS[kind]}") for kind in SAYS},
        **{name: said(shapes.TEXT, "a field of its record") for name in EXPECT_FIELDS},
        **{name: said(some(shapes.TEXT), "what it holds") for name in EXPECT_TEXTS},
        **{name: shapes.GIVEN[name] for name in ("at", "user")},
        "value": said({"type": "number"}, "what a goal is worth"),
    }
    return {
        **_fields(TESTS, shapes.TESTS, ["tests"]),
        "$defs": {
            "test": _exactly_one(
                _fields(TEST, shapes.TEST, ["test"]), ["expect", "expect_nothing"]
            ),
            "given": _exactly_one(_fields(GIVEN, shapes.GIVEN, ["at"]), HAPPENINGS),
            "expected": _exactly_one(_fields(EXPECT, expected), SAYS),
        },
    }


def _tracking_plan() -> Shape:
    return {
        **_fields(TRACKING_PLAN, shapes.TRACKING_PLAN),
        "$defs": {
            "event": _fields(TRACKED_EVENT, shapes.TRACKED_EVENT),
            "identify": _fields(IDENTIFY, shapes.IDENTIFY),
            "property": shapes.either(shapes.TYPE, _fields(PROPERTY, shapes.PROPERTY)),
        },
    }


_MAKERS: Final[dict[str, tuple[str, Callable[[], Shape]]]] = {
    "campaign": ("A campaign: campaigns/*.yaml", _campaign),
    "segments": ("Segments: segments.yaml", _segments),
    "settings": ("Settings: hairspring.toml", settings_shape),
    "tests": ("Tests of a shop: tests/*.yaml", _tests),
    "tracking-plan": ("The tracking plan: tracking-plan.yaml", _tracking_plan),
}

KINDS: Final = tuple(_MAKERS)
"""What there is a schema of."""


def schema_of(kind: str) -> Shape:
    """The JSON Schema of one of `KINDS`. O(keys)."""
    title, make = _MAKERS[kind]
    return {"$schema": DIALECT, "title": title, **make()}
