from __future__ import annotations

import pytest

from config import ShopInvalid, load_shop
from tests.config.campaign import CAMPAIGN

SMALL = {"hairspring.toml": "", "campaigns/hello.yaml": CAMPAIGN}


def _faults(files: dict[str, str]) -> list[str]:
    with pytest.raises(ShopInvalid) as raised:
        load_shop({**SMALL, **files})
    return [str(fault) for fault in raised.value.faults]


def test_a_template_has_one_file_for_each_language() -> None:
    shop = load_shop(
        {
            **SMALL,
            "templates/hello.sms.liquid": "Hello",
            "templates/hello.sms.fr.liquid": "Salut {{ cart.size }}",
            "templates/hello.sms.fr-CA.liquid": "Allo",
        }
    )
    assert set(shop.templates) == {("hello", "sms")}
    template = shop.templates["hello", "sms"]
    told = [template.render({"user": {"locale": one}}).body for one in ("fr-CA", "fr-BE", "de")]
    assert told == ["Allo", "Salut", "Hello"]
    assert "cart" in template.names
    assert shop.warnings == []


def test_a_template_for_some_languages_alone_is_a_fault() -> None:
    (told,) = _faults({"templates/hello.sms.fr.liquid": "Salut"})
    assert told.startswith("templates/hello.sms.fr.liquid:1: is for some users alone")
    assert "templates/hello.sms.liquid" in told


@pytest.mark.parametrize(
    ("name", "right"),
    [("hello.sms.fr_FR", "fr-FR"), ("hello.sms.fr-fr", "fr-FR"), ("hello.sms.FR", "fr")],
)
def test_a_locale_is_written_in_one_way(name: str, right: str) -> None:
    files = {"templates/hello.sms.liquid": "Hello", f"templates/{name}.liquid": "Salut"}
    (told,) = _faults(files)
    assert "names no locale" in told
    assert f"templates/hello.sms.{right}.liquid" in told


def test_a_language_that_there_is_not_is_a_fault() -> None:
    files = {"templates/hello.sms.liquid": "Hello", "templates/hello.sms.french.liquid": "Salut"}
    (told,) = _faults(files)
    assert "names no locale: 'french'" in told


def test_a_link_that_nobody_makes_is_told_with_the_one_that_is_meant() -> None:
    text = "{{ links.unsub }} {{ campaign.sender }}"
    told = [str(one) for one in load_shop({**SMALL, "templates/hello.sms.liquid": text}).warnings]
    where = "templates/hello.sms.liquid:1: nothing is called "
    known = "known are: description, id, purpose"
    assert told == [
        f"{where}'campaign.sender': it always renders empty; {known}",
        f"{where}'links.unsub': it always renders empty; did you mean unsubscribe?",
    ]


def test_what_is_wrong_with_a_template_of_a_language_is_told_in_its_file() -> None:
    files = {"templates/hello.sms.liquid": "Hello", "templates/hello.sms.fr.liquid": "\n{% if %}"}
    (told,) = _faults(files)
    assert told.startswith("templates/hello.sms.fr.liquid:2: missing expression")


def test_the_customs_of_the_shop_are_those_of_its_templates() -> None:
    settings = (
        '[shop]\ncurrency = "EUR"\nlocale = "fr-FR"\n'
        "[filters]\nloud = '{{ value | upcase }}!'\n"
    )  # fmt: skip
    files = {"templates/hello.sms.liquid": "{{ 1.5 | money }} {{ 'a' | loud }}"}
    shop = load_shop({**SMALL, **files, "hairspring.toml": settings})
    assert shop.templates["hello", "sms"].render({}).body == "1,50\xa0€ A!"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("[filters]\n\nupcase = 'x'", ":3: filters.upcase: Liquid has a filter of that name"),
        ("[filters]\na = 1", ":2: filters.a:"),
        ("filters = 1", ":1: filters is no section"),
        ('[shop]\nlocale = "xx"', ":2: shop.locale: 'xx' is no locale"),
        ('[shop]\ncurrency = "euro"', ":2: shop.currency:"),
        ('[catalog]\nfile = "../x.json"', ":2: catalog.file:"),
        ('[catalog]\nfile = "x.yaml"', ":2: catalog.file:"),
        ('[catalog]\nfile = "x.csv"\nurl = "http://a"', ":3: catalog has a file and a url"),
    ],
)
def test_settings_of_templates_at_fault_are_told_with_their_line(settings: str, told: str) -> None:
    found = _faults({"hairspring.toml": settings, "templates/hello.sms.liquid": "Hello"})
    assert any(told in fault for fault in found), found


SPLIT = """campaign: trial
enter: {event: Go}
steps:
  - split:
      name: copy
      variants:
        short: {weight: 1, steps: [{send: sms, template: hello, id: one}]}
        long: {weight: 1, steps: [{send: sms, template: hello, id: two}]}
    id: copy
"""


def warned(text: str, *campaigns: str, path: str = "templates/hello.sms.liquid") -> list[str]:
    files = {f"campaigns/c{number}.yaml": said for number, said in enumerate(campaigns)}
    files = {"hairspring.toml": "", "templates/hello.sms.liquid": "Hello", **files, path: text}
    return [str(one) for one in load_shop(files).warnings]


@pytest.mark.parametrize(
    "text",
    [
        "Hi\n{% if variant == 'shrot' %}a{% endif %}",
        "Hi\n{% if user.vip and 'shrot' != variant %}a{% endif %}",
        "Hi {% case variant %}{% when 'long' %}b\n{% when 'short', 'shrot' %}a{% endcase %}",
        "Hi\n{% for a in cart.items %}{% unless variant == 'shrot' %}a{% endunless %}{% endfor %}",
    ],
)
def test_a_variant_that_nobody_has_is_told_with_its_line(text: str) -> None:
    (told,) = warned(text, SPLIT)
    assert told.startswith(
        "templates/hello.sms.liquid:2: no campaign that sends it has the variant"
    )
    assert "'shrot'; did you mean short?" in told


def test_one_that_any_campaign_has_which_sends_the_template_is_no_slip() -> None:
    text = "{% if variant == 'long' %}a{% elsif variant == '' %}b{% endif %}"
    assert warned(text, SPLIT, CAMPAIGN) == []
    (told,) = warned(text, CAMPAIGN)
    assert "there is no split in any of them" in told


def test_the_files_of_other_languages_are_asked_too() -> None:
    french = "templates/hello.sms.fr.liquid"
    (told,) = warned("Salut\n{% if variant == 'court' %}a{% endif %}", SPLIT, path=french)
    assert told.startswith(f"{french}:2: ")


@pytest.mark.parametrize(
    "text",
    [
        "{% assign variant = 'x' %}{% if variant == 'x' %}a{% endif %}",
        "{% if user.variant == 'x' %}a{% endif %}",
        "{% if variant == user.name %}a{% endif %}",
    ],
)
def test_what_is_no_variant_is_nobodys_slip(text: str) -> None:
    assert warned(text, SPLIT) == []
