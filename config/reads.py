"""How one value of the settings is read: by what it is meant to be, or a reason why not."""

from __future__ import annotations

import re
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, available_timezones

from msgspec import inspect

from config.faults import nearest, shown
from config.quantities import parse_share, parse_size_bytes
from engine.core.cel import zone_of
from engine.core.durations import DurationError, parse_duration_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: Final = "env:"
_NEAR: Final = 0.8
"""How alike the name of a zone must be to what is written."""


class Unreadable(Exception):  # noqa: N818 - it is told as a fault, with its place
    """A value that is not what its key wants.

    Attributes:
        message: What it is.
        hint: What would be right; empty where the key's own description says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def kind_of(value: object) -> str:  # noqa: PLR0911 - one a kind
    """A value as a fault tells it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the text {shown(value)}"
        case int() | float():
            return f"the number {shown(value)}"
        case dict():
            return "a table"
        case list():
            return "a list"
        case None:
            return "empty"
        case _:
            return shown(value)


def read_duration_ms(raw: object) -> int:
    """Milliseconds of a duration."""
    if not isinstance(raw, str):
        raise Unreadable(f"{kind_of(raw)} is no duration")
    try:
        return parse_duration_ms(raw)
    except DurationError as error:
        raise Unreadable(error.message, error.hint) from error


def read_size_bytes(raw: object) -> int:
    """Bytes of a size, or of a plain whole number."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if not isinstance(raw, str):
        raise Unreadable(f"{kind_of(raw)} is no size")
    try:
        return parse_size_bytes(raw)
    except ValueError as error:
        raise Unreadable(f"{shown(raw)} is no size") from error


def read_share(raw: object) -> float:
    """A share from 0.0 to 1.0, written in per cent."""
    if not isinstance(raw, str):
        raise Unreadable(f"{kind_of(raw)} is no share")
    try:
        return parse_share(raw)
    except ValueError as error:
        raise Unreadable(f"{shown(raw)} is no share") from error


def read_zone(raw: object) -> str:
    """The key of a time zone that the zone data knows."""
    if not isinstance(raw, str):
        raise Unreadable(f"{kind_of(raw)} is no time zone")
    zone = zone_of(raw)
    if not isinstance(zone, ZoneInfo):
        raise Unreadable(f"{shown(raw)} is no time zone", _zone_hint(raw))
    return zone.key


def _zone_hint(raw: str) -> str:
    """The nearest zone that there is, of a city alone that city's; "" where none is near."""
    places = sorted(zone for zone in available_timezones() if "/" in zone)
    said = re.sub(r"\s+", "_", raw.strip())[:80]
    near = get_close_matches(said, places, 1, _NEAR)
    if "/" not in said:
        by_city = {zone.rpartition("/")[2].lower(): zone for zone in reversed(places)}
        near = [by_city[one] for one in get_close_matches(said.lower(), by_city, 1, _NEAR)]
    return f"did you mean {near[0]}?" if near else ""


def read_network(raw: object) -> str:
    """An IP address, or a network by its first address and the bits that all of it share."""
    if not isinstance(raw, str):
        raise Unreadable(f"{kind_of(raw)} is no address")
    try:
        network = ip_network(raw, strict=False)
    except ValueError:
        raise Unreadable(f"{shown(raw)} is no IP address and no network") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None:
        raise Unreadable(f"{shown(raw)} is IPv4 within IPv6", f'write it as IPv4, like "{mapped}"')
    if not network.prefixlen:
        raise Unreadable(f"{shown(raw)} is every address there is", "name your own machines alone")
    if "/" in raw and ip_address(raw.partition("/")[0]) != network.network_address:
        first = f"{shown(raw)} is an address within a network"
        raise Unreadable(first, f'did you mean "{network}"?')
    return raw


def read_locale(raw: object) -> str:
    """A locale that CLDR knows, as BCP 47 writes it."""
    from channels.templates.locales import canonical, is_known

    if not isinstance(raw, str) or not is_known(canonical(raw)):
        told = shown(raw) if isinstance(raw, str) else kind_of(raw)
        raise Unreadable(f"{told} is no locale")
    return canonical(raw)


def read_secret(raw: object, env: Mapping[str, str] | None) -> str:
    """A text, or what the variable of `env:NAME` holds; empty where `env` is None."""
    if not isinstance(raw, str):
        raise Unreadable("it is no text")  # and what it is may be the secret
    if not raw.startswith(ENV_PREFIX):
        return raw
    if env is None:
        return ""
    name = raw.removeprefix(ENV_PREFIX)
    if name not in env:
        raise Unreadable(
            f"the environment variable {shown(name)} is not set",
            f"start with {name}=… in the environment" if name else "write env:NAME",
        )
    if not env[name]:
        # An empty key would let everybody in, or be taken for one that is not set.
        told = f"the environment variable {shown(name)} is empty"
        raise Unreadable(told, f"start with {name}=… in the environment")
    return env[name]


def read_simple(kind: inspect.Type, raw: object) -> object:
    """A text, number, flag or one of several words, within its bounds."""
    match kind:
        case inspect.StrType():
            _is(isinstance(raw, str) and _text_fits(kind, raw), raw)
        case inspect.BoolType():
            _is(isinstance(raw, bool), raw)
        case inspect.IntType():
            _is(isinstance(raw, int) and _within(kind, raw), raw)
        case inspect.FloatType():
            _is(isinstance(raw, int | float) and _within(kind, raw), raw)
            return float(str(raw))
        case inspect.LiteralType():
            if raw not in kind.values:
                words = [str(word) for word in kind.values]
                near = nearest(raw, words) if isinstance(raw, str) else f"one of {words}"
                raise Unreadable(f"{kind_of(raw)} is not known here", near)
        case _:
            raise AssertionError(f"settings of this kind cannot be read: {kind}")
    return raw


def _is(fits: bool, raw: object) -> None:  # noqa: FBT001 - reads as a sentence
    if not fits:
        raise Unreadable(f"{kind_of(raw)} does not fit here")


def _text_fits(kind: inspect.StrType, raw: str) -> bool:
    if len(raw) < (kind.min_length or 0):
        return False
    return kind.pattern is None or re.search(kind.pattern, raw) is not None


def _within(kind: inspect.IntType | inspect.FloatType, raw: float) -> bool:
    if isinstance(raw, bool) or not abs(raw) < 1 << 63:
        return False
    return (kind.ge is None or raw >= kind.ge) and (kind.le is None or raw <= kind.le)


def extra(kind: inspect.Type, name: str) -> object:
    """What the settings note of a kind besides, by its name; None where they do not."""
    noted = kind.extra if isinstance(kind, inspect.Metadata) else None
    return (noted or {}).get(name)


def wanted(kind: inspect.Type) -> str:  # noqa: PLR0911 - one a kind
    """What a key wants, by its description, else by its kind."""
    match kind:
        case inspect.Metadata():
            told = (kind.extra_json_schema or {}).get("description")
            return str(told) if told else wanted(kind.type)
        case inspect.UnionType():
            return wanted(kind.types[0])
        case inspect.VarTupleType():
            return f"a list, each {wanted(kind.item_type)}"
        case inspect.LiteralType():
            return f"one of {', '.join(str(value) for value in kind.values)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case _:
            return "text in quotes"
