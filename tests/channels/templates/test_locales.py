from __future__ import annotations

import pytest

from channels.templates.locales import broader, canonical, is_known
from channels.templates.parsing import parse_template


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("fr", "fr"),
        ("FR-fr", "fr-FR"),
        ("fr_FR", "fr-FR"),
        ("en_US.UTF-8", "en-US"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr-FR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-DE-u-co-phonebk", "de-DE"),
        ("", ""),
        ("*", ""),
        ("C", ""),
        ("english", ""),
    ],
)
def test_what_browsers_and_systems_say_is_understood(told: str, meant: str) -> None:
    assert canonical(told) == meant


def test_a_locale_grows_broader() -> None:
    assert broader("zh-Hant-TW") == ("zh-Hant-TW", "zh-Hant", "zh-TW", "zh")
    assert broader("fr_CA") == ("fr-CA", "fr")
    assert broader("no locale") == ("no",)


def test_only_what_cldr_has_is_known() -> None:
    assert is_known("fr")
    assert is_known("fr-CA")
    assert not is_known("fr-ca")
    assert not is_known("xx")
    assert not is_known("")


def test_each_user_gets_the_template_of_the_nearest_locale() -> None:
    def parsed(locale: str) -> object:
        return parse_template("x", "sms", f"{locale or 'default'}", "x", locale=locale)

    template = parse_template("x", "sms", "default", "x").with_locales(
        {locale: parsed(locale) for locale in ("fr", "fr-CA", "zh-Hant")}  # type: ignore[misc]
    )

    def got(locale: object) -> str:
        return template.render({"user": {"locale": locale}}).body

    assert got("fr-CA") == "fr-CA"
    assert got("fr_FR") == "fr"
    assert got("zh-Hant-TW") == "zh-Hant"
    assert [got(other) for other in ("en", "", None, 7, ["fr"])] == ["default"] * 5
    assert template.render({}).body == "default"
