"""The shop's products, from a JSON or CSV feed, each row checked by itself.

JSON is a list of products, or an object that has one list (`{"products": [...]}`); CSV has a line
of names. A product is whatever the feed says of it, under the names that templates use (`id`,
`title`, `url`, `image`, `price`, `currency`, `stock`, `rating`, `reviews`), and all else as it is
called there.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from channels.base import ChannelError
from channels.templates.shelf import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FEED_BYTES_MAX: Final = 64 * 1024 * 1024
PRODUCTS_MAX: Final = 100_000
PRODUCT_BYTES_MAX: Final = 16 * 1024

ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "id": ("product_id", "sku", "g:id"),
    "title": ("name", "g:title"),
    "url": ("link", "g:link"),
    "image": ("image_url", "image_link", "g:image_link"),
    "price": ("g:price",),
    "currency": (),
    "stock": ("inventory", "quantity", "availability", "g:availability"),
    "rating": ("average_rating",),
    "reviews": ("review_count", "reviews_count"),
}
"""What products' fields are called, and elsewhere too: taken where the feed does not have ours."""

_NUMBERS: Final = ("price", "rating", "reviews")
_IN_STOCK: Final = frozenset({"in stock", "in_stock", "instock", "available", "true", "yes"})
_SOLD_OUT: Final = frozenset(
    {"out of stock", "out_of_stock", "outofstock", "unavailable", "sold out", "false", "no"}
)
_FAULTS_TOLD: Final = 5


class FeedFault(ChannelError):  # noqa: N818 - told as a value, or by `check`
    """A feed that has no products in it that can be used."""


class Feed(msgspec.Struct, frozen=True):
    """What a feed holds.

    Attributes:
        catalog: Its products.
        left_out: How many rows are none, and were left out.
        faults: The first of them, as `row 3: what is wrong`.
    """

    catalog: Catalog
    left_out: int = 0
    faults: tuple[str, ...] = ()


def read_feed(data: bytes, kind: str, fields: Mapping[Any, str]) -> Feed:
    """The products of a feed. O(size).

    Args:
        data: The file, UTF-8.
        kind: `json` or `csv`; "" finds out.
        fields: What the feed calls a product's fields, where it has names of its own.

    Raises:
        FeedFault: It is too large, cannot be read, or has no product in it.
    """
    if len(data) > FEED_BYTES_MAX:
        raise FeedFault(f"the feed has {len(data)} bytes", hint=f"at most {FEED_BYTES_MAX}")
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not kind:
        kind = "json" if text.lstrip()[:1] in {b"[", b"{"} else "csv"
    rows = _json_rows(text) if kind == "json" else _csv_rows(text)
    products: dict[str, bytes] = {}
    sold_out: set[str] = set()
    faults: list[str] = []
    left_out = 0
    for number, row in enumerate(rows, start=1):
        if len(products) >= PRODUCTS_MAX:
            raise FeedFault(f"the feed has over {PRODUCTS_MAX} products", hint="send fewer")
        told = _take(row, fields, products, sold_out)
        if told:
            left_out += 1
            if len(faults) < _FAULTS_TOLD:
                faults.append(f"row {number}: {told}")
    if not products:
        told = f"the feed has no product: {faults[0]}" if faults else "the feed has no product"
        raise FeedFault(told, hint="a list of objects, or CSV, each with an id")
    return Feed(Catalog(products, frozenset(sold_out)), left_out, tuple(faults))


def _take(
    row: object, fields: Mapping[Any, str], products: dict[str, bytes], sold_out: set[str]
) -> str:
    """Put a row among the products; what is wrong with it, or ""."""
    if not isinstance(row, dict):
        return "it is no object"
    product = _named(row, fields)
    product_id = product.get("id")
    if isinstance(product_id, bool) or not isinstance(product_id, (str, int)) or product_id == "":
        return "it has no id"
    key = str(product_id)
    if key in products:
        return f"there is another {key[:40]!r} before it"
    product["id"] = key
    for name in _NUMBERS:
        if name in product:
            product[name] = _number(product[name])
            if product[name] is None:
                return f"{name} is no number"
    stock = _stock(product.get("stock"))
    if stock is not None:
        product["stock"] = stock
        if stock <= 0:
            sold_out.add(key)
    encoded = msgspec.json.encode(product)
    if len(encoded) > PRODUCT_BYTES_MAX:
        return f"it has {len(encoded)} bytes, more than {PRODUCT_BYTES_MAX}"
    products[key] = encoded
    return ""


def _named(row: dict[str, Any], fields: Mapping[Any, str]) -> dict[str, Any]:
    """A row by the names that templates use; what is empty is not there."""
    product = {str(name): value for name, value in row.items() if value is not None and value != ""}
    for name, aliases in ALIASES.items():
        for other in (fields[name],) if name in fields else (name, *aliases):
            if other in product:
                product[name] = product[other]
                break
    amount, _, currency = str(product.get("price", "")).strip().rpartition(" ")
    if amount and currency.isalpha():  # as Google's feeds write it: 12.50 EUR
        product = {"currency": currency.upper(), **product, "price": amount}
    return product


def _number(value: object) -> float | None:
    """What a field is worth as a number that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # a whole number in JSON may have any number of digits
        return None
    if not 0 <= number < float("inf"):
        return None
    return int(number) if number.is_integer() else number


def _stock(value: object) -> int | None:
    """How many there are, 1 of "in stock"; None where nothing is said that can be understood."""
    match value:
        case bool():
            return int(value)
        case int() | float():
            return int(value) if abs(value) < float("inf") else None
        case str():
            word = value.strip().lower()
            if word in _IN_STOCK:
                return 1
            if word in _SOLD_OUT:
                return 0
            number = _number(word.removeprefix("-"))
            return None if number is None else (-1 if word.startswith("-") else 1) * int(number)
        case _:
            return None


def _json_rows(text: bytes) -> Iterable[object]:
    try:
        read = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise FeedFault(f"the feed is no JSON: {fault}", hint="a list of products") from fault
    if isinstance(read, list):
        return read
    lists = (
        [value for value in read.values() if isinstance(value, list)]
        if isinstance(read, dict)
        else []
    )
    if len(lists) == 1:
        return lists[0]
    raise FeedFault(
        "the feed is no list of products", hint='[{"id": …}, …], or an object with one such list'
    )


def _csv_rows(text: bytes) -> Iterator[object]:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as fault:
        raise FeedFault("the feed is not UTF-8", hint="save it as UTF-8") from fault
    first = decoded.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.DictReader(io.StringIO(decoded, newline=""), delimiter=delimiter, restkey="")
    except csv.Error as fault:
        raise FeedFault(
            f"the feed is no CSV: {fault}", hint="quote fields that have quotes"
        ) from fault
