"""What a shop's templates take for granted: its currency, its language, its zone, its filters."""

from __future__ import annotations

import msgspec


class Customs(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's customs; a part of how its templates are parsed.

    Attributes:
        currency: An ISO 4217 code, where a template names none.
        locale: Such as `en` or `fr-FR`, for users without one.
        timezone: An IANA time zone, for users without one.
        filters: Filters of the shop's own, each a name and a Liquid text over `value` and
            `argument`; a later one may use those before it.
    """

    currency: str = "USD"
    locale: str = "en"
    timezone: str = "UTC"
    filters: tuple[tuple[str, str], ...] = ()
