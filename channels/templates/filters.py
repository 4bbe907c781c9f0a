"""The filters that our templates have beyond Liquid's own.

What depends on the reader (the words of an amount, of a date) follows his `locale` and `timezone`,
and where he has none the shop's. None of them reads a clock: `now` is the instant of the send, so
that a message rendered once says what was true then.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from liquid.exceptions import FilterArgumentError
from liquid.filter import liquid_filter, with_context
from liquid.undefined import Undefined

from channels.templates.dates import format_date, instant_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from babel import Locale
    from babel.numbers import NumberPattern

    from channels.templates.sandbox import SandboxContext

SURVEYS: Final = "survey links"
"""Under what a rendering has the maker of such links: a name that no template can spell."""

STYLES: Final = ("short", "medium", "long", "full")
"""How much of an instant `local_date`, `local_time` and `local_datetime` tell."""

_UNITS: Final = (
    ("duration-day", 86_400_000),
    ("duration-hour", 3_600_000),
    ("duration-minute", 60_000),
)
_CODE_CHARS: Final = 3
_DIGITS_MAX: Final = 40
_PLACES_MAX: Final = 20
"""Of a number before its point, or of noughts behind it: Babel reckons with 28 digits in all."""
_RECOMMENDED_MAX: Final = 24


@with_context
@liquid_filter
def _date(
    value: object, form: object = "", zone: object = "UTC", *, context: SandboxContext
) -> str:
    """`| date: FORMAT, ZONE`: an instant (milliseconds, seconds, ISO 8601, `now`) in local time."""
    if isinstance(value, Undefined) or value is None:
        return ""
    try:
        return format_date(_at(value, context), str(form), str(zone) or "UTC")
    except ValueError as fault:
        raise FilterArgumentError(str(fault), token=None) from fault


@liquid_filter
def _json(value: object) -> str:
    """`| json`: the value as JSON, quotes included; what is missing is `null`."""
    return _encoder.encode(value).decode()


@with_context
@liquid_filter
def _money(value: object, currency: object = "", *, context: SandboxContext) -> str:
    """`| money: CURRENCY`: an amount as it is written where the user lives.

    What is no number comes back as it is. The currency is an ISO 4217 code; the shop's if empty.
    """
    amount = _number(value)
    if amount is None:
        return _as_it_is(value)
    code = str(currency or context.customs.currency).strip().upper()
    if len(code) != _CODE_CHARS or not code.isascii() or not code.isalpha():
        told = f"{str(currency)[:_DIGITS_MAX]!r} is no currency: write a code such as EUR"
        raise FilterArgumentError(told, token=None)
    locale = context.locale()
    pattern = _currency_pattern(locale)
    return str(pattern.apply(amount, locale, currency=code, currency_digits=True))


@with_context
@liquid_filter
def _localized_number(value: object, *, context: SandboxContext) -> str:
    """`| number`: a number as it is written where the user lives."""
    amount = _number(value)
    if amount is None:
        return _as_it_is(value)
    locale = context.locale()
    return str(locale.decimal_formats[None].apply(amount, locale))


def _local(kind: str) -> Callable[..., str]:
    @with_context
    @liquid_filter
    def local(
        value: object, style: object = "medium", zone: object = "", *, context: SandboxContext
    ) -> str:
        """`| local_date: STYLE, ZONE`: in the user's language and zone.

        STYLE is `short`, `medium`, `long`, `full`, or a pattern of CLDR's (`EEEE d MMMM`).
        """
        instant = instant_of(_at(value, context))
        if instant is None:
            return _as_it_is(value)
        try:
            local_time = instant.astimezone(zone_of(str(zone)) if zone else context.zone())
            return _format(kind)(local_time, str(style), locale=context.locale())
        except (ValueError, AttributeError, LookupError, OverflowError) as fault:
            told = f"{str(style)[:_DIGITS_MAX]!r}: {fault}; write one of {', '.join(STYLES)}"
            raise FilterArgumentError(told, token=None) from fault

    return local


def _format(kind: str) -> Callable[..., str]:
    from babel import dates

    formatter: Callable[..., str] = getattr(dates, f"format_{kind}")
    return formatter


@with_context
@liquid_filter
def _countdown(value: object, parts: object = 2, *, context: SandboxContext) -> str:
    """`| countdown: PARTS`: how long it is from the send to an instant, as `2 days, 3 hours`.

    Empty where that is past, or within the minute; what is no instant comes back as it is. PARTS
    is how many units are told, 1 to 3.
    """
    instant = instant_of(_at(value, context))
    if instant is None:
        return _as_it_is(value)
    if context.now_at_ms is None:
        return ""
    left_ms = int(instant.timestamp() * 1000) - context.now_at_ms
    return _told(left_ms, _whole(parts, 1, len(_UNITS)), context.locale())


def _told(left_ms: int, parts: int, locale: Locale) -> str:
    from babel.lists import format_list
    from babel.units import format_unit

    told: list[str] = []
    for place, (unit, unit_ms) in enumerate(_UNITS):
        count, left_ms = divmod(max(left_ms, 0), unit_ms)
        if count:
            told.append(format_unit(count, unit, length="long", locale=locale))
        if told and (len(told) == parts or place == len(_UNITS) - 1):
            break
    return format_list(told, style="unit", locale=locale) if told else ""


@with_context
@liquid_filter
def _product(value: object, *, context: SandboxContext) -> object:
    """`| product`: of the catalog, by its id, or by an item that has a `product_id` or `id`."""
    return context.products.get(_id_of(value))


@with_context
@liquid_filter
def _recommend(value: object, count: object = 4, *, context: SandboxContext) -> list[object]:
    """`| recommend: COUNT`: products that go with one, with several, or with a cart.

    Bought together first, then viewed together, then what most people buy; in stock, not among
    those given, and nothing that the user has bought. At most 24.
    """
    given = value.get("items", value) if isinstance(value, dict) else value
    several = given if isinstance(given, (list, tuple)) else [given]
    ids = [one for item in several if (one := _id_of(item))]
    return context.recommend(ids, _whole(count, 1, _RECOMMENDED_MAX))


def _id_of(value: object) -> str:
    if isinstance(value, Undefined) or value is None or isinstance(value, bool):
        return ""
    if isinstance(value, (str, int)):
        return str(value)
    if hasattr(value, "get"):
        for key in ("product_id", "id", "sku"):
            if isinstance(found := value.get(key), (str, int)):
                return str(found)
    return ""


def _at(value: object, context: SandboxContext) -> object:
    return context.now_at_ms if isinstance(value, str) and value in {"now", "today"} else value


def _as_it_is(value: object) -> str:
    return "" if value is None or isinstance(value, Undefined) else str(value)


def _whole(value: object, least: int, most: int) -> int:
    number = _number(value)
    return most if number is None else max(least, min(most, int(number)))


def _number(value: object) -> Decimal | None:
    """What a value is worth as a number; None for what is none, and for what has no end."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    text = str(value).strip()
    if len(text) > _DIGITS_MAX:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _PLACES_MAX else None


@lru_cache(256)
def _currency_pattern(locale: Locale) -> NumberPattern:
    pattern: NumberPattern = locale.currency_formats["standard"]
    return pattern


def _plain(value: object) -> object:
    if isinstance(value, Undefined):
        return None
    if isinstance(value, range):
        return list(value)
    return str(value)


_encoder = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")


@with_context
@liquid_filter
def _survey_link(value: object, survey: object = "", *, context: SandboxContext) -> str:
    """`| survey_link: "nps"`: where the reader gives this value as his answer to that survey."""
    if not isinstance(survey, str) or not survey.strip():
        message = 'survey_link names its survey: {{ 5 | survey_link: "nps" }}'
        raise FilterArgumentError(message, token=None)
    address = context.globals.get(SURVEYS)
    if not callable(address) or isinstance(value, Undefined) or value is None:
        return ""
    return str(address(survey.strip(), str(value).strip()))


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "date": _date,
    "json": _json,
    "money": _money,
    "number": _localized_number,
    "local_date": _local("date"),
    "local_time": _local("time"),
    "local_datetime": _local("datetime"),
    "countdown": _countdown,
    "product": _product,
    "recommend": _recommend,
    "survey_link": _survey_link,
}
"""By name, beside Liquid's own; `date` takes the place of Liquid's."""
