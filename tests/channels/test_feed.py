from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import feed as feed_module
from channels.feed import FeedFault, read_feed

FERN = {"id": "f1", "title": "Fern", "price": 12.5, "stock": 3, "reviews": 7, "rating": 4.5}


def _json(*products: object) -> bytes:
    return msgspec.json.encode(list(products))


def test_a_product_is_what_the_feed_says_of_it() -> None:
    feed = read_feed(_json({**FERN, "colour": "green", "note": None}), "json", {})
    assert feed.catalog["f1"] == {**FERN, "colour": "green"}
    assert (feed.left_out, feed.faults) == (0, ())


def test_json_may_be_an_object_with_one_list() -> None:
    data = msgspec.json.encode({"version": 2, "products": [FERN]})
    assert list(read_feed(data, "", {}).catalog) == ["f1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_by_its_line_of_names(delimiter: str) -> None:
    lines = ["sku,title,price,stock", 'f1,"Fern, big",12.50,3', "o2,Oak,,0"]
    if delimiter != ",":
        lines = [line.replace(",", delimiter) for line in lines]
    catalog = read_feed("\ufeff{}\r\n".format("\r\n".join(lines)).encode(), "csv", {}).catalog
    assert catalog["f1"]["price"] == 12.5
    assert catalog["f1"]["title"] == f"Fern{delimiter} big"
    assert "price" not in catalog["o2"]
    assert catalog.sold_out == {"o2"}


def test_a_feed_may_have_names_of_its_own() -> None:
    rows = _json({"nr": 7, "heading": "Fern", "name": "no", "pic": "https://a.example/f.png"})
    names = {"id": "nr", "title": "heading", "image": "pic"}
    product = read_feed(rows, "json", names).catalog[7]
    assert (product["id"], product["title"]) == ("7", "Fern")
    assert product["image"] == "https://a.example/f.png"


def test_names_of_other_feeds_are_known() -> None:
    google = {"g:id": "1", "g:title": "Fern", "g:price": "12.50 eur", "g:image_link": "i",
              "g:availability": "out of stock"}  # fmt: skip
    feed = read_feed(_json(google), "json", {})
    product = feed.catalog["1"]
    assert [product[name] for name in ("title", "price", "currency", "image", "stock")] == [
        "Fern", 12.5, "EUR", "i", 0,
    ]  # fmt: skip
    assert feed.catalog.sold_out == {"1"}


def test_rows_that_are_no_product_are_left_out_and_the_first_are_told() -> None:
    rows = (FERN, 7, {}, {"id": ""}, FERN, {"id": "a", "price": "dear"}, {"id": "b", "price": -1})
    feed = read_feed(_json(*rows, {"id": "c", "text": "x" * 20_000}), "json", {})
    assert list(feed.catalog) == ["f1"]
    assert feed.left_out == 7
    assert feed.faults[:4] == (
        "row 2: it is no object",
        "row 3: it has no id",
        "row 4: it has no id",
        "row 5: there is another 'f1' before it",
    )


@pytest.mark.parametrize(
    ("data", "kind", "told"),
    [
        (b"", "json", "no JSON"),
        (b"[", "json", "no JSON"),
        (b"[" * 100_000, "json", "no JSON"),
        (b"7", "json", "no list"),
        (b"{}", "json", "no list"),
        (b'{"a": [], "b": []}', "json", "no list"),
        (b"[]", "json", "no product"),
        (b"[{}]", "json", "no product: row 1"),
        (b"\xff", "csv", "not UTF-8"),
        (b"id,title\n", "csv", "no product"),
        (b'id\n"' + b"x" * 200_000, "csv", "no CSV"),
    ],
)
def test_a_feed_without_products_is_told(data: bytes, kind: str, told: str) -> None:
    with pytest.raises(FeedFault, match=told) as fault:
        read_feed(data, kind, {})
    assert fault.value.hint


def test_a_feed_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "PRODUCTS_MAX", 2)
    with pytest.raises(FeedFault, match="over 2 products"):
        read_feed(_json({"id": 1}, {"id": 2}, {"id": 3}), "json", {})
    monkeypatch.setattr(feed_module, "FEED_BYTES_MAX", 10)
    with pytest.raises(FeedFault, match="bytes"):
        read_feed(_json(FERN), "json", {})


def test_a_number_beyond_all_bounds_leaves_out_its_row_alone() -> None:
    feed = read_feed(b'[{"id": "a", "price": ' + b"9" * 400 + b'}, {"id": "b"}]', "json", {})
    assert list(feed.catalog) == ["b"]
    assert feed.faults == ("row 1: price is no number",)


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["", "json", "csv"]))
def test_any_bytes_are_a_feed_or_a_fault(data: bytes, kind: str) -> None:
    with suppress(FeedFault):
        assert len(read_feed(data, kind, {}).catalog)
