"""What a webhook says, in words of ours: who did what, and what became of a mail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from engine.core.inputs import Answer, Bounce
from engine.core.instants import parse_instant_ms
from engine.server.answers import Refusal

Json: TypeAlias = Mapping[str, Any]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as far as sources read it.

    Attributes:
        headers: Their names compare without regard to case.
        query: The last value of each parameter.
        body: As it came: signatures are over its bytes.
        now_ms: When it came.
    """

    headers: Mapping[str, str]
    body: bytes
    now_ms: int
    query: Mapping[str, str] = {}


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """A user as a source knows him: by some of these.

    Attributes:
        id: His id at the source; where nobody else is known by it or by his address, his id here.
        anonymous_id: One that the source has drawn for him (a cart's token).
    """

    id: str = ""
    email: str = ""
    phone: str = ""
    anonymous_id: str = ""

    def __bool__(self) -> bool:
        return bool(self.id or self.email or self.phone or self.anonymous_id)

    def addresses(self) -> list[tuple[str, str]]:
        """His addresses, each with its channel."""
        said = (("email", self.email), ("sms", self.phone))
        return [(channel, address) for channel, address in said if address]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or traits, of somebody.

    Attributes:
        item: In the native form, without who it is of and without a message id.
        key: Tells it from everything else that this source will ever say; "" where only the
            delivery does.
        told_since_ms: Since when the source may have told it, where it tells it again with whatever
            it tells later of the same thing: under this key it is looked for in all that is kept.
    """

    who: Who
    item: dict[str, Any]
    key: str = ""
    told_since_ms: int | None = None


class Consented(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody said yes or no to a channel, at the source; `key` as `Said.key`."""

    who: Who
    channels: dict[str, bool]
    key: str = ""
    occurred_at_ms: int | None = None


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mail at its provider.

    Attributes:
        address: Whose mailbox.
        answer: What was done, or came of it.
        message_id: The mail's `Message-ID`, with or without angle brackets; "" where not known.
        key: As `Said.key`.
        link: The address that a clicked link leads to.
        user_agent: Of the program that opened it.
        machine: Why it is taken for a machine's doing, in a word; "" for a person's.
        bounce: How it came back, where it did.
        suppresses: That nothing more may go to the address: it is no good, or has complained.
    """

    address: str
    answer: Answer
    message_id: str = ""
    key: str = ""
    link: str = ""
    user_agent: str = ""
    machine: str = ""
    bounce: Bounce | Literal[""] = ""
    suppresses: bool = False


Heard: TypeAlias = Said | Consented | Feedback

_decode = msgspec.json.Decoder().decode
_ID_MAX: Final = 10**100
"""No id is as large; one of thousands of digits takes long to write, or is refused by Python."""
MS: Final = 1_000


def body_as_json(call: Call) -> Any:  # noqa: ANN401 - any JSON value
    """The body. Raises Refusal (400)."""
    try:
        return _decode(call.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "body.malformed", f"the body is no JSON: {error}") from None


def body_as_object(call: Call) -> Json:
    """The body, a JSON object. Raises Refusal (400)."""
    value = body_as_json(call)
    if not isinstance(value, dict):
        raise Refusal(400, "body.invalid", "the body is no JSON object")
    return value


def text(value: object) -> str:
    """A text or a whole number, as text; "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _ID_MAX:
        return str(value)
    return ""


def number(value: object) -> float | None:
    """A finite number, or a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        told = float(value)
    except (ValueError, OverflowError):  # an integer may be longer than any float
        return None
    if not math.isfinite(told):
        return None
    return value if isinstance(value, int) else told


def instant(value: object) -> int | None:
    """Milliseconds since the epoch of an instant that a source gives, or None."""
    try:
        return parse_instant_ms(value)
    except ValueError:
        return None


def at(value: object, *path: str | int) -> Any:  # noqa: ANN401 - any JSON value
    """What lies there in a JSON value, or None."""
    for step in path:
        if isinstance(step, int):
            value = (
                value[step]
                if isinstance(value, list) and -len(value) <= step < len(value)
                else None
            )
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def object_at(value: object, *path: str | int) -> Json:
    """The object that lies there in a JSON value; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def objects(value: object) -> list[Json]:
    """The objects of a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def filled(**properties: object) -> dict[str, Any]:
    """Those that say something: neither None, nor empty."""
    return {name: value for name, value in properties.items() if value not in (None, "", [], {})}
