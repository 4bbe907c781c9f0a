"""`set` and `emit`: what a step makes, and the values that it gives."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

from channels.base import CHANNEL_IDS
from config.conditions import json_value
from config.faults import shown
from config.schema import EMIT, Key
from config.source import Fields, kind_of
from config.yaml12 import Mapping, Scalar, plain
from engine.core.past.sessions import SESSION_EVENTS
from engine.core.people.traits import TOPICS
from engine.core.steps.kinds import END, Emit, Given, Set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.steps.program import Laid, Program
    from config.yaml12 import Node

_SET_HINT: Final = "write traits and their values, like `set: {tier: at-risk}`"
_CONSENT_HINT: Final = "write a yes or no by channel, like `consent: {email: false}`"
_CONSENT_KEYS: Final = {name: Key(name) for name in (*CHANNEL_IDS, TOPICS)}
_TEXTS: Final = frozenset({"email", "phone", "timezone", "locale", "name", "first_name"})
_EMIT_HINT: Final = "write `emit: {event: Cart Reminded}`"
_PROPERTIES_HINT: Final = "write properties and their values, like `{step: first}`"


def read_set(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """Traits."""
    given = _given(fields, "set", _SET_HINT)
    if given is None:
        return END, []
    at = program.add(Set(step_id, given), path)
    return at, [(at, "next")]


def read_emit(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """An event."""
    emit = fields.map("emit", EMIT, _EMIT_HINT)
    if emit is None:
        return END, []
    hint = "the event's name"
    name = emit.text("event", hint) if emit.required("event", hint) else None
    if name in SESSION_EVENTS:
        told = f"is {shown(name or '')}, which the engine makes of sessions"
        emit.fault("event", told, "give it a name of your own")
    elif name is not None and name.startswith("="):
        told = f"is {shown(name)}: an event's name is written, and not worked out"
        emit.fault("event", told, "give `properties` what differs from user to user")
    said = "properties" in emit.node.entries
    given = _given(emit, "properties", _PROPERTIES_HINT) if said else ()
    if name is None or given is None:
        return END, []
    at = program.add(Emit(step_id, name, given), path)
    return at, [(at, "next")]


def _given(fields: Fields, name: str, hint: str) -> tuple[Given, ...] | None:
    """The values under a key; None where one is at fault."""
    node = fields.peek(name)
    if not isinstance(node, Mapping) or not node.entries:
        fields.fault(
            name,
            "is empty" if not node or isinstance(node, Mapping) else f"is {kind_of(node)}",
            hint,
        )
        return None
    keys = {key: Key(key) for key in node.entries}
    values = Fields(fields.source, node, keys, f"{fields.prefix}{name}.")
    read_one = _trait if name == "set" else _one
    read = [read_one(values, key) for key in node.entries]
    given = [one for one in read if one is not None]
    return tuple(given) if len(given) == len(read) else None


def _trait(values: Fields, key: str) -> Given | None:
    """A trait; of one that messages go by, what it cannot be is found before anybody has it."""
    given = _one(values, key)
    if given is None or given.program is not None or given.value is None:
        return given
    node = values.node.entries[key]
    if key == "timezone" and isinstance(given.value, str):
        zone = values.zone(key)
        return None if zone is None else Given(key, zone)
    if key in _TEXTS and not isinstance(given.value, str):
        values.fault(key, f"is {kind_of(node)}", "a text: all that is sent goes by it")
    elif key == "consent" and given.value is not False:
        _check_consent(values, node)
    return given


def _check_consent(values: Fields, node: Node) -> None:
    """A yes or no by channel, and by topic."""
    if not isinstance(node, Mapping):
        values.fault("consent", f"is {kind_of(node)}", _CONSENT_HINT)
        return
    said = Fields(values.source, node, _CONSENT_KEYS, f"{values.prefix}consent.")
    _check_answers(said, [name for name in node.entries if name in CHANNEL_IDS])
    topics = node.entries.get(TOPICS)
    keys = {topic: Key(topic) for topic in topics.entries} if isinstance(topics, Mapping) else {}
    by_topic = said.map(TOPICS, keys, "write topics, each with true or false")
    if by_topic is not None:
        _check_answers(by_topic, keys)


def _check_answers(said: Fields, names: Iterable[str]) -> None:
    for name in names:
        node = said.node.entries[name]
        if not (isinstance(node, Scalar) and isinstance(node.value, bool)):
            said.fault(name, f"is {kind_of(node)}", "write true or false")


def _one(values: Fields, key: str) -> Given | None:
    node = values.node.entries[key]
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and value.startswith("="):
        program = json_value(values, key)
        return None if program is None else Given(key, program=program)
    if isinstance(value, float) and not isfinite(value):
        values.fault(key, f"is {kind_of(node)}", "JSON has no such number")
        return None
    if not isinstance(node, Scalar):
        _warn_within(values, key, node)
    return Given(key, plain(node))


def _warn_within(values: Fields, key: str, node: Node) -> None:
    """Say of texts in a list or map that look like expressions that they are none."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and node.value.startswith("="):
            told = f"{values.prefix}{key} has {shown(node.value)} within it, which stands as text"
            hint = "an expression is the whole value: `'=[1, cart.size]'` gives a list"
            values.source.warn(node.line, told, hint)
        return
    within = node.entries.values() if isinstance(node, Mapping) else node.items
    for one in within:
        _warn_within(values, key, one)
