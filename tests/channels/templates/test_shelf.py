from __future__ import annotations

from typing import Any

import msgspec
import pytest

from channels.rendering import RenderFailed
from channels.templates.parsing import parse_template
from channels.templates.shelf import Catalog, Shelf

PRODUCTS = {
    str(number): msgspec.json.encode({"id": str(number), "title": f"Product {number}"})
    for number in range(6)
}


def _shelf(suggested: tuple[str, ...] = (), owned: tuple[str, ...] = ()) -> Shelf:
    return Shelf(
        Catalog(PRODUCTS, frozenset({"1"})),
        suggest=lambda _: iter(suggested),
        owned=lambda _: frozenset(owned),
    )


def _render(text: str, shelf: Shelf | None, **names: Any) -> str:
    template = parse_template("x", "sms", text, "x")
    context = {"user": {"id": "ann"}, **names} | ({} if shelf is None else {"catalog": shelf})
    return template.render(context, strict=True).body


def test_a_product_is_found_by_its_id_or_by_what_bears_it() -> None:
    assert _render("{{ catalog['2'].title }}", _shelf()) == "Product 2"
    assert _render("{% assign p = 2 | product %}{{ p.title }}", _shelf()) == "Product 2"
    text = "{% assign p = event | product %}{{ p.title }}"
    assert _render(text, _shelf(), event={"product_id": "3"}) == "Product 3"
    assert _render("{{ catalog.size }} {{ catalog | size }}", _shelf()) == "6 6"


def test_a_product_that_is_not_there_is_missing() -> None:
    with pytest.raises(RenderFailed):
        _render("{{ catalog['9'].title }}", _shelf())
    assert _render("{% assign p = '9' | product %}{% if p %}x{% endif %}-", _shelf()) == "-"


def test_what_goes_together_comes_first_in_stock_and_not_yet_owned() -> None:
    shelf = _shelf(suggested=("1", "gone", "2", "5", "4"), owned=("5",))
    text = "{% assign some = %s | recommend: 2 %}{% for p in some %}{{ p.id }}{% endfor %}"
    assert _render(text.replace("%s", "'3'"), shelf) == "24"
    assert _render(text.replace("%s", "'2'"), shelf) == "40"
    assert _render(text.replace("%s", "cart"), shelf, cart={"items": [{"product_id": "2"}]}) == "40"
    assert _render(text.replace("%s", "event.none"), shelf, event={"none": None}) == "24"


def test_without_anything_known_the_shops_first_products_are_recommended() -> None:
    text = "{% assign some = '0' | recommend: 9 %}{{ some | map: 'id' | join: ',' }}"
    assert _render(text, Shelf(Catalog(PRODUCTS))) == "1,2,3,4,5"


def test_a_shop_without_a_catalog_recommends_nothing() -> None:
    assert _render("{% assign some = '0' | recommend %}{{ some | size }}", None) == "0"
    with pytest.raises(RenderFailed, match="catalog"):
        _render("{{ catalog['0'].title }}", None)


def test_products_are_found_by_any_text_in_them_and_told_in_pages() -> None:
    catalog = Catalog(PRODUCTS)
    found, following = catalog.find("PRODUCT", 0, 2)
    assert ([str(one["id"]) for one in found], following) == (["0", "1"], 2)
    found, following = catalog.find("", 4, 9)
    assert ([str(one["id"]) for one in found], following) == (["4", "5"], None)
    assert catalog.find("nothing of the kind", 0, 9) == ([], None)
