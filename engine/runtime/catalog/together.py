"""What goes with what: products bought together or viewed by one user soon after each other.

An aggregate of its own beside the users, fed by the journal's inputs in their order, and a function
of them alone. Everything is bounded; what goes first is what was seen least, so that it forgets
nobody's favourites.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PRODUCTS_MAX: Final = 20_000
"""Products of which something is kept."""

PARTNERS_MAX: Final = 32
"""Products kept beside one of them; for some time twice as many."""

USERS_MAX: Final = 50_000
"""Users whose latest views and purchases are kept: those heard of last."""

VIEWS_MAX: Final = 5
OWNED_MAX: Final = 50
ORDER_MAX: Final = 30
"""Products of one order that count as bought together."""

BOUGHT: Final = 1_000
"""What two products in one order say beside two views: so much that no views outdo it."""

_ID_CHARS_MAX: Final = 100


class _Person:
    __slots__ = ("owned", "viewed")

    def __init__(self) -> None:
        self.viewed: list[str] = []
        self.owned: dict[str, None] = {}


class Together:
    """Counts views and purchases; says what goes with a product, and what a user has."""

    def __init__(self) -> None:
        self._partners: dict[str, dict[str, int]] = {}
        self._popular: dict[str, int] = {}
        self._people: OrderedDict[str, _Person] = OrderedDict()
        self._bearers: OrderedDict[str, str] = OrderedDict()
        self._ranked: list[str] | None = None

    def view(self, user_id: str, product: str) -> None:
        """A user looked at a product. O(`VIEWS_MAX`)."""
        person = self._person(user_id)
        for other in person.viewed:
            if other != product:
                self._pair(other, product, 1)
        person.viewed = [*(one for one in person.viewed if one != product), product][-VIEWS_MAX:]
        self._note(product, 1)

    def buy(self, user_id: str, products: Sequence[str]) -> None:
        """A user bought products, in one order. O(`ORDER_MAX` squared)."""
        person = self._person(user_id)
        bought = list(dict.fromkeys(products))[:ORDER_MAX]
        for place, one in enumerate(bought):
            for other in bought[place + 1 :]:
                self._pair(one, other, BOUGHT)
            self._note(one, BOUGHT)
            person.owned.pop(one, None)
            person.owned[one] = None
        for oldest in list(person.owned)[: max(0, len(person.owned) - OWNED_MAX)]:
            del person.owned[oldest]

    def merge(self, user_id: str, merged_id: str) -> None:
        """Two ids are one person's. O(what he has)."""
        user_id = self._bearers.get(user_id, user_id)
        if user_id == merged_id:
            return
        self._bearers[merged_id] = user_id
        if len(self._bearers) > USERS_MAX:
            self._bearers.popitem(last=False)
        other = self._people.pop(merged_id, None)
        if other is not None:
            person = self._person(user_id)
            person.owned = {**other.owned, **person.owned}
            viewed = dict.fromkeys((*other.viewed, *person.viewed))
            person.viewed = list(viewed)[-VIEWS_MAX:]

    def forget(self, ids: Iterable[str]) -> None:
        """Nothing is kept of a user any more, but for how often products were bought. O(ids)."""
        for user_id in ids:
            self._people.pop(user_id, None)
            self._bearers.pop(user_id, None)

    def owned(self, user_id: str) -> frozenset[str]:
        """What a user has bought, as far as it is kept. O(`OWNED_MAX`)."""
        person = self._people.get(self._bearers.get(user_id, user_id))
        return frozenset(person.owned) if person is not None else frozenset()

    def suggest(self, given: Sequence[str]) -> Iterator[str]:
        """What goes with products, the best first; then what most people buy, and look at.

        O(given * `PARTNERS_MAX`), and where something was counted since, the products' number. May
        be asked on a thread beside that which counts: what it goes over it has copied.
        """
        scores: dict[str, int] = {}
        for product in given:
            for other, count in list(self._partners.get(product, {}).items()):
                scores[other] = scores.get(other, 0) + count
        yield from sorted(scores, key=lambda one: (-scores[one], one))
        ranked = self._ranked
        if ranked is None:
            popular = self._popular
            ranked = sorted(popular, key=lambda one: (-popular[one], one))[: PARTNERS_MAX * 8]
            self._ranked = ranked
        yield from ranked

    def _person(self, user_id: str) -> _Person:
        user_id = self._bearers.get(user_id, user_id)
        person = self._people.get(user_id)
        if person is None:
            person = self._people[user_id] = _Person()
            if len(self._people) > USERS_MAX:
                self._people.popitem(last=False)
        else:
            self._people.move_to_end(user_id)
        return person

    def _pair(self, one: str, other: str, weight: int) -> None:
        for product, partner in ((one, other), (other, one)):
            partners = self._partners.setdefault(product, {})
            partners[partner] = partners.get(partner, 0) + weight
            if len(partners) > 2 * PARTNERS_MAX:
                self._partners[product] = _best(partners, PARTNERS_MAX)

    def _note(self, product: str, weight: int) -> None:
        self._popular[product] = self._popular.get(product, 0) + weight
        self._ranked = None
        if len(self._popular) > 2 * PRODUCTS_MAX:
            self._popular = _best(self._popular, PRODUCTS_MAX)
            for gone in self._partners.keys() - self._popular.keys():
                del self._partners[gone]


def product_id(value: object) -> str:
    """A product's id as feeds and events write it; "" for what is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return text if len(text := str(value)) <= _ID_CHARS_MAX else ""


def _best(counts: dict[str, int], most: int) -> dict[str, int]:
    kept = sorted(counts, key=lambda one: (-counts[one], one))[:most]
    return {one: counts[one] for one in kept}
