"""`tracking-plan.yaml`: the events that a shop sends, their properties, and the traits it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from config.faults import shown
from config.schema import IDENTIFY, PROPERTY, TRACKED_EVENT, TRACKING_PLAN, Key
from config.source import Fields, Source, kind_of
from config.yaml12 import Mapping, Node, Scalar, Sequence
from engine.core.cel.automaton import automaton_of
from engine.core.cel.pattern import PatternError
from engine.core.intake.forms import KINDS, Form
from engine.core.intake.items import PROPERTIES_MAX, TEXT_LENGTH_MAX, TRAITS_MAX
from engine.core.intake.tracking_plan import TrackingPlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.intake.forms import Kind

TRACKING_PLAN_FILE: Final = "tracking-plan.yaml"

ADDITIONAL: Final = ("allow", "forbid")
"""Whether there may be more than the plan has."""

NUMBER_MAX: Final = 2**53
"""A bound beyond it is none: JSON's numbers are not exact there."""

_HINT: Final = "write `events:` and under it each event with its `properties:`"
_EVENT_HINT: Final = "write `properties:` under the event's name, or leave a {}"
_PROPERTIES_HINT: Final = (
    "write each as `price: number`, or `price: {type: number, required: true}`"
)
_UNTELLABLE: Final = re.compile(r'[\\"\x00-\x1f]')
_BOUNDED: Final = ("string", "integer", "number", "array")


def compile_tracking_plan(source: Source) -> TrackingPlan | None:
    """The plan that the file means; None where there is none. O(size of the file).

    The findings of `source` take every fault; a plan may be returned beside them.
    """
    if not source.text.strip():
        return None
    node = source.root("a tracking plan is", _HINT)
    if node is None:
        return None
    fields = Fields(source, node, TRACKING_PLAN, "")
    forms: dict[str, Form] = {}
    passive: set[str] = set()
    events = _entries(fields, "events", _HINT)
    for name, inner in events.node.entries.items() if events is not None else ():
        assert events is not None
        form, is_passive = _event(events, name, inner)
        forms[name] = form
        if is_passive:
            passive.add(name)
    traits = _traits(fields)
    is_open = fields.word("additional", ADDITIONAL, "allow") == "allow"
    return TrackingPlan(forms, frozenset(passive), traits, is_open=is_open)


def _entries(fields: Fields, name: str, hint: str) -> Fields | None:
    """A map whose keys are names of the shop's; each is looked at for what no name can have."""
    node = fields.peek(name)
    keys = {key: Key(key) for key in node.entries} if isinstance(node, Mapping) else {}
    found = fields.map(name, keys, hint)
    for key in keys if found is not None else ():
        if not _can_be_name(key):
            told = f"has {shown(key)}, which can be no name of it"
            fields.fault(name, told, f"up to {TEXT_LENGTH_MAX} characters, without quotes or \\")
    return found


def _can_be_name(key: str) -> bool:
    return bool(key.strip()) and len(key) <= TEXT_LENGTH_MAX and not _UNTELLABLE.search(key)


def _event(events: Fields, name: str, node: Node) -> tuple[Form, bool]:
    if isinstance(node, Scalar) and node.value is None:
        return Form(kind="object"), False
    if not isinstance(node, Mapping):
        events.fault(name, f"is {kind_of(node)}", _EVENT_HINT)
        return Form(kind="object"), False
    fields = Fields(events.source, node, TRACKED_EVENT, f"{events.prefix}{_called(name)}.")
    form = Form(
        kind="object",
        properties=_properties(fields, "properties", PROPERTIES_MAX),
        is_open=fields.word("additional", ADDITIONAL, "allow") == "allow",
        description=fields.text("description") or "",
    )
    return form, _flag(fields, "passive")


def _traits(plan: Fields) -> Form | None:
    fields = plan.map("identify", IDENTIFY, "write `traits:` under it")
    if fields is None:
        return None
    traits = _properties(fields, "traits", TRAITS_MAX)
    for name, form in traits.items():
        if form.required:
            told = f"identify.traits.{_called(name)} is required"
            hint = "leave that out: an identify call says what is new, and no more"
            inner = fields.get("traits")
            line = inner.lines[name] if isinstance(inner, Mapping) else fields.line("traits")
            fields.source.fault(line, told, hint)
    is_open = fields.word("additional", ADDITIONAL, "allow") == "allow"
    return Form(kind="object", properties=traits, is_open=is_open)


def _properties(fields: Fields, name: str, most: int) -> dict[str, Form]:
    entries = _entries(fields, name, _PROPERTIES_HINT)
    if entries is None:
        return {}
    if len(entries.node.entries) > most:
        fields.fault(name, f"has {len(entries.node.entries)} names", f"at most {most}")
        return {}
    return {
        key: _property(entries, key, node)
        for key, node in entries.node.entries.items()
        if _can_be_name(key)
    }


def _property(fields: Fields, name: str, node: Node) -> Form:
    """One property: `price: number`, or a map with its keys."""
    if not isinstance(node, Mapping):
        return Form(kind=fields.word(name, KINDS, "any"))
    inner = Fields(fields.source, node, PROPERTY, f"{fields.prefix}{_called(name)}.")
    enum = _enum(inner)
    kind = inner.word("type", KINDS, _meant(inner, enum))
    if enum and kind != _kind_of_enum(enum):
        inner.fault("enum", f"beside `type: {kind}`", "enum is for strings or for integers")
        enum = ()
    least, most = _bound(inner, "min", kind), _bound(inner, "max", kind)
    if least is not None and most is not None and least > most:
        inner.fault("max", f"is below min, {least:.15g}", "no value is both")
        most = None
    items = inner.node.entries.get("items")
    for key, wanted in (("pattern", "string"), ("items", "array"), ("properties", "object")):
        if key in inner.node.entries and kind != wanted:
            inner.fault(key, f"beside `type: {kind}`", f"it goes with `type: {wanted}`")
    return Form(
        kind=kind,
        required=_flag(inner, "required"),
        enum=enum,
        least=least,
        most=most,
        pattern=_pattern(inner) if kind == "string" and not enum else "",
        items=_property(inner, "items", items) if items is not None and kind == "array" else None,
        properties=_properties(inner, "properties", PROPERTIES_MAX) if kind == "object" else {},
        is_open=inner.word("additional", ADDITIONAL, "allow") == "allow",
        description=inner.text("description") or "",
    )


def _meant(fields: Fields, enum: tuple[str | int, ...]) -> Kind:
    """The type of a property that does not say it."""
    if enum:
        return _kind_of_enum(enum)
    meant: dict[str, Kind] = {"properties": "object", "items": "array", "pattern": "string"}
    return next((kind for key, kind in meant.items() if key in fields.node.entries), "any")


def _kind_of_enum(enum: Iterable[str | int]) -> Kind:
    return "string" if all(isinstance(value, str) for value in enum) else "integer"


def _enum(fields: Fields) -> tuple[str | int, ...]:
    node = fields.get("enum")
    if node is None:
        return ()
    hint = "write a list of texts, or of whole numbers: enum: [EUR, USD]"
    if not isinstance(node, Sequence) or not node.items:
        told = kind_of(node) if not isinstance(node, Sequence) else "an empty list"
        fields.fault("enum", f"is {told}", hint)
        return ()
    values: list[str | int] = []
    for item in node.items:
        value = item.value if isinstance(item, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, str | int):
            fields.source.fault(item.line, f"{fields.prefix}enum has {kind_of(item)}", hint)
        elif value in values:
            told = f"{fields.prefix}enum has {shown(value)} twice"
            fields.source.fault(item.line, told, "keep one of them")
        else:
            values.append(value)
    if len({type(value) for value in values}) > 1:
        fields.fault("enum", "has texts and numbers", hint)
        return ()
    return tuple(values)


def _bound(fields: Fields, name: str, kind: str) -> float | None:
    node = fields.get(name)
    if node is None:
        return None
    value = node.value if isinstance(node, Scalar) else None
    if kind not in _BOUNDED:
        hint = "it bounds a number, the length of a string, or the items of an array"
        fields.fault(name, f"beside `type: {kind}`", hint)
    elif "enum" in fields.node.entries:
        fields.fault(name, "beside `enum`, which has every value", "leave it out")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        fields.fault(name, f"is {kind_of(node)}", "write a number")
    elif not abs(value) <= NUMBER_MAX:
        fields.fault(name, f"is {kind_of(node)}", f"at most {NUMBER_MAX}, and no less than that")
    elif kind != "number" and not float(value).is_integer():
        fields.fault(name, f"is {kind_of(node)}", "a whole number")
    elif kind in {"string", "array"} and value < 0:
        fields.fault(name, f"is {kind_of(node)}", "0 or more")
    else:
        return value
    return None


def _pattern(fields: Fields) -> str:
    text = fields.text("pattern", "write a regular expression, in quotes")
    try:
        if text is not None:
            automaton_of(text)
    except PatternError as error:
        fields.fault("pattern", f"is no regular expression: {error}", "as RE2 has them: ^[A-Z]{3}$")
        return ""
    return text or ""


def _flag(fields: Fields, name: str) -> bool:
    node = fields.get(name)
    if node is None:
        return False
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    fields.fault(name, f"is {kind_of(node)}", "write true or false")
    return False


def _called(name: str) -> str:
    return shown(name)[1:-1]
