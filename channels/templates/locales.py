"""Languages and regions: what a user's `locale` means, and how numbers and instants look there.

Locales are BCP 47 tags (`fr`, `fr-FR`, `zh-Hant-TW`); of what browsers and systems say (`fr_FR`,
`fr-FR,fr;q=0.9`, `en_US.UTF-8`) the first locale counts. The words are CLDR's, by Babel.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from babel import Locale

_LOCALE: Final = re.compile(
    r"\s*(?P<language>[a-z]{2,3})(?:[-_](?P<script>[a-z]{4}))?"
    r"(?:[-_](?P<region>[a-z]{2}|[0-9]{3}))?(?![a-z0-9])",
    re.IGNORECASE,
)
_CHARS_MAX: Final = 100


@lru_cache(1024)
def canonical(told: str) -> str:
    """A locale as BCP 47 writes it, such as `fr-FR`; "" where it is none that can be made out."""
    found = _LOCALE.match(told[:_CHARS_MAX])
    if found is None:
        return ""
    script, region = found["script"] or "", found["region"] or ""
    parts = (found["language"].lower(), script.title(), region.upper())
    return "-".join(part for part in parts if part)


@lru_cache(1024)
def broader(told: str) -> tuple[str, ...]:
    """A locale and those that are broader, the nearest first: `fr-FR`, then `fr`.

    A script is kept longer than a region: who reads `zh-Hant-TW` reads `zh-Hant`, then `zh-TW`.
    """
    locale = canonical(told)
    language, *rest = locale.split("-")
    nearer = [locale, *(f"{language}-{part}" for part in rest), language]
    return tuple(dict.fromkeys(one for one in nearer if one))


@lru_cache(1024)
def babel_locale(told: str) -> Locale | None:
    """Babel's, the nearest that it has; None where it has none. Some milliseconds the first time.

    The import alone takes 20 ms, which no other template needs.
    """
    from babel import Locale, UnknownLocaleError

    for locale in broader(told):
        try:
            return Locale.parse(locale, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return None


def is_known(locale: str) -> bool:
    """Whether CLDR has this very language (and script and region, where it has them)."""
    from babel import Locale, UnknownLocaleError

    try:
        return canonical(locale) == locale and bool(Locale.parse(locale, sep="-"))
    except (UnknownLocaleError, ValueError):
        return False
