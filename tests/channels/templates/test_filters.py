from __future__ import annotations

from typing import Any

import pytest

from channels.rendering import RenderFailed
from channels.templates.customs import Customs
from channels.templates.parsing import filter_faults, parse_template

NOW_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, a Thursday."""

FRENCH = {"locale": "fr_FR.UTF-8", "timezone": "Europe/Paris"}
LATE = "2026-01-03T23:30:00Z"


def _render(text: str, user: Any = None, customs: Customs = Customs(), **names: Any) -> str:  # noqa: B008 - frozen
    template = parse_template("x", "sms", text, "x", customs=customs)
    context = {"user": user or {}, "at": LATE, **names}
    # CLDR puts narrow and wide spaces that no break goes through; here they are blanks.
    body = template.render(context, now_at_ms=NOW_MS).body
    return body.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        ("{{ 1234.5 | money }}", "$1,234.50", "1 234,50 $US"),
        ("{{ '12' | money: 'eur' }}", "€12.00", "12,00 €"),
        ("{{ 1500 | money: 'JPY' }}", "¥1,500", "1 500 JPY"),
        ("{{ 'free' | money }}", "free", "free"),
        ("{{ 1234567.891 | number }}", "1,234,567.891", "1 234 567,891"),
        ("{{ at | local_date }}", "Jan 3, 2026", "4 janv. 2026"),
        ("{{ at | local_date: 'full' }}", "Saturday, January 3, 2026", "dimanche 4 janvier 2026"),
        ("{{ at | local_date: 'EEEE d MMMM' }}", "Saturday 3 January", "dimanche 4 janvier"),
        ("{{ at | local_time: 'short' }}", "11:30 PM", "00:30"),
        ("{{ at | local_time: 'short', 'Asia/Tokyo' }}", "8:30 AM", "08:30"),
        ("{{ at | local_datetime: 'short' }}", "1/3/26, 11:30 PM", "04/01/2026 00:30"),
        ("{{ 'no instant' | local_date }}", "no instant", "no instant"),
        ("{{ at | countdown }}", "2 days, 23 hours", "2 jours et 23 heures"),
        ("{{ at | countdown: 1 }}", "2 days", "2 jours"),
        (
            "{{ at | countdown: 3 }}",
            "2 days, 23 hours, 30 minutes",
            "2 jours, 23 heures et 30 minutes",
        ),
        ("{{ '2026-01-01T00:01:00Z' | countdown }}", "1 minute", "1 minute"),
        ("[{{ '2025-12-31' | countdown }}]", "[]", "[]"),
    ],
)  # fmt: skip
def test_what_depends_on_the_reader_follows_his_locale_and_zone(
    text: str, english: str, french: str
) -> None:
    assert _render(text, at=LATE) == english
    assert _render(text, FRENCH, at=LATE) == french


@pytest.mark.parametrize("locale", ["", "xx-YY", 7, None, "fr" * 1000, "../../etc", "C"])
def test_a_locale_that_is_none_is_the_shops(locale: object) -> None:
    customs = Customs(locale="de", currency="EUR", timezone="Europe/Berlin")
    user = {"locale": locale, "timezone": "Mars/Olympus"}
    assert _render("{{ 1.5 | money }}", user, customs) == "1,50 €"
    assert _render("{{ at | local_time: 'short' }}", user, customs) == "00:30"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ 1 | money: 'euros' }}", "is no currency"),
        ("{{ 1 | money: user }}", "is no currency"),
        ("{{ at | local_date: 'short', 'Mars/Olympus' }}", "unknown time zone"),
    ],
)
def test_what_a_filter_cannot_take_is_told(text: str, reason: str) -> None:
    with pytest.raises(RenderFailed, match=reason):
        _render(text, {"a": 1})


@pytest.mark.parametrize(
    "value", [1e308, -1e308, float("nan"), float("inf"), "9" * 100, "1e999999", "9" * 29]
)
def test_no_number_is_too_large_to_be_money(value: object) -> None:
    assert len(_render("{{ v | money }}{{ v | number }}", v=value)) < 1000


SHOP = Customs(
    filters=(
        ("loud", "{{ value | upcase }}!"),
        ("stars", "{% for i in (1..value) %}*{% endfor %}"),
        ("titled", "<b>{{ value | loud }}</b>{{ argument }}{{ user.name }}"),
    )
)


def test_a_shop_has_filters_of_its_own_each_over_those_before_it() -> None:
    user = {"name": "A&B"}
    assert _render("{{ 3 | stars }} {{ 'x' | titled: '-' }}", user, SHOP) == "*** <b>X!</b>-A&B"


def test_what_a_shops_filter_makes_in_html_is_html_and_its_values_are_escaped() -> None:
    text = "<p>{{ user.name | titled: user.name }}</p>"
    template = parse_template("x", "in_app", text, "x", customs=SHOP)
    made = template.render({"user": {"name": "<a>"}}).body
    assert made == "<p><b>&lt;A&gt;!</b>&lt;a&gt;&lt;a&gt;</p>"


def test_what_fails_within_a_shops_filter_is_told_at_the_line_of_the_template() -> None:
    with pytest.raises(RenderFailed, match="in the shop's filter 'stars'") as failed:
        _render("\n{{ 20000 | stars }}", customs=SHOP)
    assert failed.value.line == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("upcase", "x", "Liquid has a filter of that name"),
        ("money", "x", "Liquid has a filter of that name"),
        ("Loud", "x", "a filter's name is"),
        ("a", "{{ value | upcas }}", "there is no filter 'upcas'"),
        ("a", "{{ value | a }}", "there is no filter 'a'"),
        ("a", "{{ event.name }}", "nothing is called 'event'"),
        ("a", "{% if %}", "missing expression"),
    ],
)
def test_a_filter_at_fault_is_told(name: str, text: str, told: str) -> None:
    (fault,) = filter_faults({name: text})
    assert fault.told.startswith(told)
    assert fault.hint
