"""What templates find beside the person: the shop's products, and what goes with what."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Catalog(Mapping[str, dict[str, Any]]):
    """Products by id, each kept as JSON and read when a template asks for it.

    Args:
        products: JSON objects by id, in the shop's order.
        sold_out: Ids of those that are not in stock.
    """

    def __init__(
        self, products: Mapping[str, bytes] | None = None, sold_out: frozenset[str] = frozenset()
    ) -> None:
        self._products = products or {}
        self.sold_out = sold_out

    @override
    def __getitem__(self, product_id: object) -> dict[str, Any]:
        """A product; an id may be a number in a template. O(its size)."""
        return _decode(self._products[str(product_id)])

    @override
    def __contains__(self, product_id: object) -> bool:
        """Whether there is such a product. O(1)."""
        return str(product_id) in self._products

    @override
    def __iter__(self) -> Iterator[str]:
        """Ids, in the shop's order."""
        return iter(self._products)

    @override
    def __len__(self) -> int:
        """How many products there are."""
        return len(self._products)

    def find(self, said: str, start: int, most: int) -> tuple[list[dict[str, Any]], int | None]:
        """Products that have a text anywhere in them, from a place on; and from where to go on.

        Upper and lower case are the same; "" is in all. O(size) where few have it.
        """
        wanted, found = said.casefold(), list[dict[str, Any]]()
        for place, product in enumerate(islice(self._products.values(), start, None), start):
            if not wanted or wanted in product.decode().casefold():
                if len(found) == most:
                    return found, place
                found.append(_decode(product))
        return found, None


class Shelf(Mapping[str, dict[str, Any]]):
    """A catalog that may be replaced while messages are rendered, and who recommends from it.

    What templates know as `catalog`.

    Args:
        catalog: The products.
        suggest: Given ids, ids that go with them, the best first; ids that are no product any more
            may be among them.
        owned: Given a user's id, what he has bought.

    Attributes:
        catalog: The products as they are now.
    """

    def __init__(
        self,
        catalog: Catalog | None = None,
        suggest: Callable[[Sequence[str]], Iterator[str]] | None = None,
        owned: Callable[[str], frozenset[str]] | None = None,
    ) -> None:
        self.catalog = Catalog() if catalog is None else catalog
        self._suggest = suggest
        self._owned = owned

    @override
    def __getitem__(self, product_id: object) -> dict[str, Any]:
        return self.catalog[product_id]

    @override
    def __contains__(self, product_id: object) -> bool:
        return product_id in self.catalog

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.catalog)

    @override
    def __len__(self) -> int:
        return len(self.catalog)

    def recommend(self, given: Sequence[str], user_id: str, count: int) -> list[object]:
        """Products that go with those given: in stock, none of them, none that the user has.

        O(what is looked at). Where nothing more is known to go with them: the shop's first ones.
        """
        catalog = self.catalog
        passed = {*given, *(self._owned(user_id) if self._owned is not None else ())}
        found: list[object] = []
        suggested = self._suggest(given) if self._suggest is not None else iter(())
        for product_id in chain(suggested, catalog):
            if len(found) == count:
                break
            if product_id in passed or product_id in catalog.sold_out:
                continue
            if product_id in catalog:
                passed.add(product_id)
                found.append(catalog[product_id])
        return found


EMPTY: Final = Shelf()
"""No products."""
