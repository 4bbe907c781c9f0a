"""The values that conditions may name: made when one asks for them, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from engine.core import collections
from engine.core.cel import MOMENT, Kind, fields_read
from engine.core.experiments import VARIANT
from engine.core.instants import to_datetime
from engine.core.past import sessions
from engine.core.properties import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.core.cel import Program
    from engine.core.collections import Collection
    from engine.core.conditions.moment import Moment
    from engine.core.inputs import EventReceived
    from engine.core.state import User

    Bindings: TypeAlias = dict[str, Any]

CONTENT: Final = "content"
"""What a manual start brought; an empty map where none is at hand."""

KINDS: Final = {
    "user": Kind.MAP,
    "event_name": Kind.STRING,
    VARIANT: Kind.STRING,
    CONTENT: Kind.MAP,
    "now": Kind.TIMESTAMP,
    sessions.DURATION: Kind.DURATION,
    sessions.FIRST: Kind.BOOL,
}
"""Of names that are bound to one kind of value, whoever binds them."""

_decode = msgspec.json.Decoder().decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def binder(
    conditions: Iterable[Program],
    kept: Mapping[str, Collection],
    past: Callable[[User, int], Moment],
) -> Callable[[User, EventReceived], Bindings]:
    """What binds, for an event at hand, all that these conditions name.

    `kept` are the plan's collections, by name; `past` gives a user's past at an instant.
    """
    conditions = list(conditions)
    asked = frozenset[str]().union(*[condition.names for condition in conditions])
    read = _reader(conditions)
    asks_event, asks_now, asks_past = "event" in asked, "now" in asked, MOMENT in asked
    asks_content = CONTENT in asked
    # Items are made only where one of these reads them, whoever else may.
    gathered = tuple(collections.asked_for(kept.values(), conditions, ()).values())

    def bind_event(_user: User, event: EventReceived) -> Bindings:
        try:
            return {"event": read(event.properties)}
        except msgspec.ValidationError:  # no object
            return {"event": _decode(event.properties)}

    def bind(user: User, event: EventReceived) -> Bindings:
        bound = bind_event(user, event) if asks_event else {}
        bound["user"] = user.traits
        bound["event_name"] = event.name
        if asks_content:
            bound[CONTENT] = {}  # an event asks to enter, which brings none
        if asks_now:
            bound["now"] = to_datetime(event.at_ms)
        if asks_past:
            bound[MOMENT] = past(user, event.at_ms)
        if user.session is not None:
            bound.update(sessions.bind(user))
        for collection in gathered:
            bound[collection.name] = collections.bind(collection, user)
        return bound

    return bind


def event_reader(conditions: Iterable[Program]) -> Callable[[msgspec.Raw], Any] | None:
    """What decodes the properties that these conditions read; None where they name more than those.

    It raises `msgspec.ValidationError` where they are no JSON object: then the `binder` is asked.
    """
    # Most conditions at an entry ask for nothing but the event, most events meet such conditions
    # alone, and most answers are no.
    conditions = list(conditions)
    asked = frozenset[str]().union(*[condition.names for condition in conditions])
    return _reader(conditions) if asked == {"event"} else None


def bind_more(
    bound: Bindings,
    names: frozenset[str],
    raw: msgspec.Raw | bytes,
    now_ms: int,
    user: User,
    kept: Mapping[str, Collection],
) -> None:
    """Add what `names` ask for and is not there yet; `raw` are an event's properties as JSON.

    `kept` are the plan's collections, by name.
    """
    if "event" in names and "event" not in bound:
        bound["event"] = _decode(raw)
    if "now" in names and "now" not in bound:
        bound["now"] = to_datetime(now_ms)
    if user.session is not None:
        bound.update(sessions.bind(user))
    if kept:
        for name in kept.keys() & names:
            if name not in bound:
                bound[name] = collections.bind(kept[name], user)


def read_content(content: bytes) -> dict[str, Any]:
    """What a manual start brought, decoded; nothing where none did. O(size)."""
    return _decode_object(content) if content else {}


def _reader(conditions: Iterable[Program]) -> Callable[[msgspec.Raw | bytes], Any]:
    """A decoder of the properties that these conditions ask for; what else is there is skipped.

    Raises `msgspec.ValidationError` where they are no JSON object.
    """
    asked: set[str] = set()
    for condition in conditions:
        fields = fields_read(condition.tree, "event")
        if fields is None:
            return reader(None)
        asked |= fields
    return reader(asked)
