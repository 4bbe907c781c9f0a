"""A tracking plan: which events a shop sends and of what form, and what is held against it.

Where events come in, each is judged by the plan in force: what does not fit is no item that can be
taken, like one without a user; an event that the plan calls passive becomes one that is nothing the
user did. The core itself never asks: what was taken stays taken, whatever the plan says later.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from engine.core.inputs import EventNoticed, EventReceived, UserIdentified
from engine.core.intake.forms import Form, decoder_of
from engine.core.intake.items import ItemInvalid, invalid_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.inputs import UserInput

RESERVED_TRAITS: Final = (
    *("email", "phone", "push", "timezone", "locale", "first_name", "name", "consent", "group"),
)
"""Traits that mean something to the engine: they may be said whatever the plan does not have."""

OWN_MARKS: Final = ("$", "utm_")
"""How the names begin that stock clients add by themselves (PostHog's `$lib`, the `utm_source` of
the address somebody came by): never judged where the plan does not have them."""

_MISSING = re.compile(r"Object missing required field (.+)")
_UNKNOWN = re.compile(r"Object contains unknown field (.+)")

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_T = TypeVar("_T", bound="UserInput")


class _Judge(msgspec.Struct, frozen=True):
    """What objects of one form are held against."""

    form: Form
    decode: Callable[[msgspec.Raw], object]
    is_passive: bool = False


class TrackingPlan:
    """What a shop says of its events, compiled. O(size) to make; frozen from then on.

    Args:
        events: The properties of each event, by its name.
        passive: Those that are nothing a user does.
        traits: What identify calls may say; None: anything.
        is_open: Whether events may come that are not among these.
    """

    def __init__(
        self,
        events: Mapping[str, Form],
        passive: frozenset[str] = frozenset(),
        traits: Form | None = None,
        *,
        is_open: bool = True,
    ) -> None:
        self.events = dict(events)
        self.passive = passive
        self.traits = traits
        self.is_open = is_open
        self._judges = {
            name: _Judge(form, decoder_of(form), name in passive) for name, form in events.items()
        }
        self._traits = None if traits is None else _judge_of_traits(traits)

    def judge(self, happened: _T) -> _T | EventNoticed:
        """The same input, or what the plan makes of it. O(size of its properties).

        Raises ItemInvalid with the path in the item, `$.properties.price`, and what is wrong there.
        """
        if isinstance(happened, EventReceived):
            judge = self._judges.get(happened.name)
            if judge is None:
                if self.is_open:
                    return happened
                told = f"{happened.name[:100]!r} is not in tracking-plan.yaml"
                raise ItemInvalid(told, path="$.event", hint="only events that it has are taken")
            _hold(judge, happened.properties, "$.properties", happened.name)
            if judge.is_passive and type(happened) is EventReceived:
                return EventNoticed(*msgspec.structs.astuple(happened))
        elif self._traits is not None and isinstance(happened, UserIdentified):
            _hold(self._traits, happened.traits, "$.traits", "identify")
        return happened


def no_plan() -> None:
    """What there is where there is no tracking plan."""


def _judge_of_traits(form: Form) -> _Judge:
    known = {name: Form() for name in RESERVED_TRAITS} | form.properties
    form = msgspec.structs.replace(form, properties=known)
    return _Judge(form, decoder_of(form))


def _hold(judge: _Judge, said: msgspec.Raw, path: str, whose: str) -> None:
    try:
        judge.decode(said)
    except msgspec.ValidationError as error:
        if not judge.form.is_open and _fits_without_marked(judge, said):
            return
        raise _fault(error, judge.form, path, whose) from error


def _fits_without_marked(judge: _Judge, said: msgspec.Raw) -> bool:
    """Whether all that is wrong is what a stock client has added by itself."""
    known = judge.form.properties
    rest = {
        name: value
        for name, value in _decode_object(said).items()
        if name in known or not name.startswith(OWN_MARKS)
    }
    try:
        judge.decode(msgspec.Raw(_encode(rest)))
    except msgspec.ValidationError:
        return False
    return True


def _fault(error: msgspec.ValidationError, form: Form, path: str, whose: str) -> ItemInvalid:
    fault = invalid_of(error, path)
    message, at = fault.message, fault.path
    if found := _MISSING.fullmatch(message):
        message, at = "missing", f"{at}.{found[1]}"
    elif found := _UNKNOWN.fullmatch(message):
        message, at = "not known", f"{at}.{found[1]}"
    wanted = form.within("$" + at.removeprefix(path))
    hint = f"as tracking-plan.yaml has it of {whose[:100]!r}"
    if wanted is not None:
        hint = f"tracking-plan.yaml has {wanted.told} there, of {whose[:100]!r}"
    return ItemInvalid(message, path=at[:1_000], hint=hint)
