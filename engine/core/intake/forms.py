"""The form of a value: what a tracking plan says of a property, and the type it is decoded by.

A form is compiled to a msgspec type, so that holding a JSON object against it is one pass of the
decoder over its bytes. What msgspec has no type for (an instant in either spelling, a text that a
regular expression is found in) is a class of ours whose `judge` is called for each such value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec

from engine.core.cel.automaton import automaton_of
from engine.core.cel.errors import CelError
from engine.core.cel.limits import SUBJECT_LENGTH_MAX
from engine.core.instants import parse_instant_ms

if TYPE_CHECKING:
    from collections.abc import Callable

Kind: TypeAlias = Literal[
    "string", "integer", "number", "boolean", "timestamp", "array", "object", "any"
]
"""What a value is. `any` is whatever JSON has."""

KINDS: Final[tuple[Kind, ...]] = (
    *("string", "integer", "number", "boolean", "timestamp", "array", "object", "any"),
)

_FITTED_MAX: Final = 1024
_FITTED_LENGTH_MAX: Final = 64
"""Texts that are remembered of a pattern: most of a shop's are ids, and come again and again."""

_LITERAL: Final = Literal
_A: Final = {"integer": "an integer", "array": "an array", "object": "an object"}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What a value must be.

    Attributes:
        kind: Its kind.
        required: Whether it must be there, and not null. What need not be there may be null.
        enum: The values that there are, all texts or all integers; () for any.
        least: Of a number, the least; of a text, characters; of an array, items. None: any.
        most: As `least`.
        pattern: A regular expression (RE2) that must be found in a text; "" for any.
        items: What each item of an array must be.
        properties: Of an object.
        is_open: Whether an object may have properties that are not among these.
        description: For people.
    """

    kind: Kind = "any"
    required: bool = False
    enum: tuple[str | int, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    items: Form | None = None
    properties: dict[str, Form] = {}
    is_open: bool = True
    description: str = ""

    def within(self, path: str) -> Form | None:
        """What lies at a path like `$.items[0].price`; None where that cannot be told. O(path)."""
        found: Form | None = self
        for part in path.removeprefix("$").split("."):
            name, _, rest = part.partition("[")
            if found is not None and name:
                found = found.properties.get(name)
            for _ in range(rest.count("]")):
                found = None if found is None else found.items
        return found

    @property
    def told(self) -> str:
        """What it must be, in a few words."""
        if self.enum:
            return f"one of {', '.join(map(str, self.enum[:20]))}"
        what = _A.get(self.kind, f"a {self.kind}") if self.kind != "any" else "a value"
        unit = {"string": " characters", "array": " items"}.get(self.kind, "")
        if self.least is not None and self.most is not None:
            what += f" of {self.least:.15g} to {self.most:.15g}{unit}"
        elif self.least is not None:
            what += f" of at least {self.least:.15g}{unit}"
        elif self.most is not None:
            what += f" of at most {self.most:.15g}{unit}"
        if self.pattern:
            what += f" in which {self.pattern} is found"
        return what


def decoder_of(form: Form) -> Callable[[msgspec.Raw], object]:
    """What decodes JSON objects of a form, and raises msgspec.ValidationError for all others.

    O(size of the form); the decoder is O(size of the object).
    """
    return msgspec.json.Decoder(_object(form), dec_hook=_judge).decode


class _Timestamp:
    """An instant: ISO 8601, or milliseconds since the epoch."""

    @staticmethod
    def judge(value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("Expected a timestamp")  # noqa: TRY004 - msgspec tells it with its path
        parse_instant_ms(value)


def _judge(kind: Any, value: object) -> object:  # noqa: ANN401 - a class of ours
    kind.judge(value)
    return kind()  # what msgspec asks for; nobody looks at it


def _matching(form: Form) -> type:
    """A class for texts that a pattern is found in, in time linear in the text."""
    automaton = automaton_of(form.pattern)
    least = 0 if form.least is None else int(form.least)
    most = SUBJECT_LENGTH_MAX if form.most is None else int(form.most)

    fitted: set[str] = set()

    def judge(value: object) -> None:
        if not isinstance(value, str):
            raise ValueError("Expected `str`")  # noqa: TRY004 - as above
        if value in fitted:
            return
        if not least <= len(value) <= most:
            raise ValueError(f"Expected `str` of length from {least} to {most}")
        try:
            is_found = automaton.found_in(value)
        except CelError as error:
            raise ValueError(f"{error.message}: {form.pattern}") from error
        if not is_found:
            raise ValueError(f"Expected `str` matching {form.pattern}")
        if len(value) <= _FITTED_LENGTH_MAX:
            if len(fitted) >= _FITTED_MAX:
                fitted.clear()
            fitted.add(value)

    return type("Matching", (), {"judge": staticmethod(judge)})


def _type(form: Form) -> Any:  # noqa: ANN401, PLR0911 - a type, one a kind
    if form.enum:
        return _LITERAL[form.enum]
    match form.kind:
        case "string":
            return _matching(form) if form.pattern else _long(form, str)
        case "integer":
            return _bounded(form, int)
        case "number":
            return _bounded(form, float)
        case "boolean":
            return bool
        case "timestamp":
            return _Timestamp
        case "array":
            return _long(form, list[msgspec.Raw if form.items is None else _type(form.items)])  # type: ignore[misc]
        case "object":
            return _object(form)
        case _:
            return msgspec.Raw


def _bounded(form: Form, kind: type[int | float]) -> Any:  # noqa: ANN401 - a type
    if form.least is None and form.most is None:
        return kind
    least = None if form.least is None else kind(form.least)
    most = None if form.most is None else kind(form.most)
    return Annotated[kind, msgspec.Meta(ge=least, le=most)]


def _long(form: Form, kind: Any) -> Any:  # noqa: ANN401 - a type
    if form.least is None and form.most is None:
        return kind
    least = None if form.least is None else int(form.least)
    most = None if form.most is None else int(form.most)
    return Annotated[kind, msgspec.Meta(min_length=least, max_length=most)]


def _object(form: Form) -> type[msgspec.Struct]:
    """A Struct; its fields are numbered, since properties may be called anything."""
    fields: list[Any] = []
    names: dict[str, str] = {}
    for number, (name, inner) in enumerate(form.properties.items()):
        field = f"p{number}"
        names[field] = name
        if inner.kind == "any" and not inner.enum:
            fields.append((field, msgspec.Raw) if inner.required else (field, Any, None))
        elif inner.required:
            fields.append((field, _type(inner)))
        else:
            fields.append((field, _type(inner) | None, None))
    fields.sort(key=len)  # those that must be there come first
    return msgspec.defstruct(
        "Object", fields, rename=names, forbid_unknown_fields=not form.is_open, gc=False
    )
