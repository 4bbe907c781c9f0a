"""What a user has gathered: his cart, what he looked at last, a wishlist, as his events tell it.

A collection is what its events since the last clear make, in order of their time, in whatever order
they came: so each item remembers the changes of its quantity, and an item that was taken out stays
known for a while, since what happened before it may come later. Where two events have one time,
they count in the order in which they came. Everything of a collection is bounded.

Only what a loaded condition or template asks for is kept, and a user without pays nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from math import fsum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from engine.core.cel import fields_read
from engine.core.instants import to_datetime
from engine.core.past.wares import DECIMALS, ITEM_BYTES_MAX, QUANTITY_MAX, ItemReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.cel import Program
    from engine.core.inputs import EventReceived
    from engine.core.past.wares import ItemSaid
    from engine.core.state import User

Form: TypeAlias = Literal["cart", "recent"]
Verb: TypeAlias = Literal["add", "remove", "clear"]

PROPERTIES_BYTES_MAX = 64 << 10
"""Bytes of the properties of all items of a collection; beyond it the oldest lose theirs."""

MOVES_MAX = 20
"""Changes of one item's quantity that are told apart by time; older ones are one."""

GONE_MAX = 10
"""Items that were taken out and are still known; beyond it the oldest are forgotten."""

NEVER_ADDED = -1

_decode = msgspec.json.Decoder(dict).decode


class Collection(msgspec.Struct, frozen=True, eq=False):
    """How one collection is kept.

    Attributes:
        name: As conditions and templates name it.
        add: Names of the events that add an item.
        remove: Names of those that take from its quantity; none in the form `recent`.
        clear: Names of those that empty it.
        key: The property that tells one item from another.
        items_max: How many items there are at the most; beyond it the oldest go.
        form: `cart`: a map with items, size, value and updated_at, newest item last; `recent`: a
            list of items, newest first, without quantities.
        keeps_properties: Whether anything asks for the items, and not for size and value alone.
    """

    name: str
    add: tuple[str, ...]
    remove: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    key: str = "product_id"
    items_max: int = 100
    form: Form = "cart"
    keeps_properties: bool = True

    @property
    def events(self) -> tuple[str, ...]:
        """Names of all events that may change it."""
        return (*self.add, *self.remove, *self.clear)


class Role(msgspec.Struct, frozen=True, eq=False):
    """What an event does to a collection, and what reads its properties for that."""

    collection: Collection
    verb: Verb
    reader: ItemReader


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One item of a collection, or one that was taken out of it.

    Attributes:
        key: What tells it from the others, as text.
        added_at_ms: Of the latest event that added it; `NEVER_ADDED` where only a removal is known.
        moves: Instant and change of the quantity, by turns, oldest first; () in the form `recent`.
        price: Of one piece, by the latest adding event; 0 where it said none that can be read.
        properties: Of that event, as JSON; b"" where they are not kept.
    """

    key: str
    added_at_ms: int
    moves: tuple[int | float, ...] = ()
    price: float = 0.0
    properties: bytes = b""


class Collected(msgspec.Struct, omit_defaults=True, gc=False):
    """What a user has in one collection.

    Attributes:
        changed_at_ms: Event time of the newest event that counted.
        cleared_at_ms: Event time of the newest clear; what is older counts no more.
        items: In order of `added_at_ms`; those with no quantity left among them.
    """

    changed_at_ms: int = 0
    cleared_at_ms: int = -1
    items: tuple[Item, ...] = ()


def asked_for(
    collections: Iterable[Collection], programs: Iterable[Program], named: Iterable[str]
) -> dict[str, Collection]:
    """Those that anything asks for, by name, and what of them.

    Args:
        collections: All that the shop declares.
        programs: Every condition of the plan.
        named: What its templates name.

    O(size of the conditions), for each collection.
    """
    programs, named = tuple(programs), frozenset(named)
    asked: dict[str, Collection] = {}
    for collection in collections:
        name = collection.name
        asking = [program for program in programs if name in program.names]
        if not asking and name not in named:
            continue
        fields = [fields_read(program.tree, name) for program in asking]
        keeps_properties = (
            name in named
            or collection.form == "recent"
            or any(read is None or "items" in read for read in fields)
        )
        asked[name] = msgspec.structs.replace(collection, keeps_properties=keeps_properties)
    return asked


def roles(collections: Iterable[Collection], name: str) -> tuple[Role, ...]:
    """What the event `name` does, to which collections. O(names of all collections)."""
    found = ((collection, _verb(collection, name)) for collection in collections)
    return tuple(Role(one, verb, _reader(one, verb)) for one, verb in found if verb is not None)


def touched_by(collections: Iterable[Collection], name: str) -> frozenset[str]:
    """Names of the collections that an event may change: conditions that read one are asked again.

    O(names of all collections).
    """
    return frozenset(one.name for one in collections if _verb(one, name) is not None)


def collect(user: User, event: EventReceived, roles: tuple[Role, ...]) -> None:
    """Have an event in its user's collections; `last_seen_at_ms` knows it already.

    Total: an event that names no item, or whose quantity is zero or less, changes nothing.
    O(items) for each collection.
    """
    occurred_at_ms = event.occurred_at_ms
    is_late = occurred_at_ms < user.applied_at_ms
    for role in roles:
        collection = role.collection
        name = collection.name
        collected = user.collections.get(name)
        if collected is not None:
            cleared_at_ms = collected.cleared_at_ms
            if occurred_at_ms < cleared_at_ms or (is_late and occurred_at_ms == cleared_at_ms):
                continue
        if role.verb == "clear":
            collected = collected or _begin(user, name)
            clear(collected, occurred_at_ms)
        else:
            said = role.reader.say(event.properties)
            if said is None:
                continue
            collected = collected or _begin(user, name)
            if role.verb == "add":
                _add(collection, collected, occurred_at_ms, said)
            else:
                _move(collected, occurred_at_ms, said.key, -said.quantity)
            bound(collection, collected)
        collected.changed_at_ms = max(collected.changed_at_ms, occurred_at_ms)


def bind(collection: Collection, user: User) -> Any:  # noqa: ANN401 - a CEL value
    """A collection as conditions and templates see it. O(items), and their properties."""
    collected = user.collections.get(collection.name)
    items = () if collected is None else collected.items
    key = collection.key
    if collection.form == "recent":
        return [_shown(item, key) for item in reversed(items)]
    quantities = [quantity_of(item.moves) for item in items]
    held = [(item, quantity) for item, quantity in zip(items, quantities, strict=True) if quantity]
    bound: dict[str, Any] = {
        "size": len(held),
        "value": fsum([item.price * quantity for item, quantity in held]),
    }
    if collection.keeps_properties:
        bound["items"] = [_shown(item, key) | {"quantity": quantity} for item, quantity in held]
    if collected is not None:
        bound["updated_at"] = to_datetime(collected.changed_at_ms)
    return bound


def keep_only(
    user: User, before: Mapping[str, Collection], after: Mapping[str, Collection]
) -> None:
    """Under another plan, let go of what it does not ask for, or tells apart by something else.

    What was kept for it beforehand, behind another one of the name, takes its place.

    O(collections).
    """
    collections = user.collections
    stay = {name: one for name, one in collections.items() if _stays(name, before, after)}
    for name, one in after.items():
        waiting = collections.get(waiting_name(one))
        if waiting is not None:
            stay[name] = waiting
    if stay.keys() != collections.keys():
        user.collections = stay


def form_of(collection: Collection) -> tuple[object, ...]:
    """What two collections have in common where one can go on as the other."""
    return (
        collection.form,
        collection.key,
        collection.add,
        collection.remove,
        collection.clear,
    )


def waiting_name(coming: Collection) -> str:
    """The name under which a coming plan's collection is kept while another one has its own.

    No condition can name it; with the plan it comes by its name (`keep_only`).
    """
    return "\n" + "\n".join([coming.name, *map(str, form_of(coming))])


def quantity_of(moves: tuple[int | float, ...]) -> int | float:
    """What is left after all changes: at zero an item goes, and does not owe anything. O(moves)."""
    if len(moves) == 2:  # noqa: PLR2004 - one change, as most items have
        return max(0, moves[1])
    quantity: int | float = 0
    for change in moves[1::2]:
        quantity = min(max(quantity + change, 0), QUANTITY_MAX)
        if isinstance(quantity, float):
            quantity = round(quantity, DECIMALS)
    return int(quantity) if quantity == int(quantity) else quantity


def _verb(collection: Collection, name: str) -> Verb | None:
    if name in collection.add:
        return "add"
    if name in collection.remove:
        return "remove"
    return "clear" if name in collection.clear else None


def _stays(name: str, before: Mapping[str, Collection], after: Mapping[str, Collection]) -> bool:
    was, will_be = before.get(name), after.get(name)
    if was is None or will_be is None:
        return will_be is not None
    return (was.key, was.form) == (will_be.key, will_be.form)


def _reader(collection: Collection, verb: Verb) -> ItemReader:
    return ItemReader(collection.key, whole=verb == "add" and collection.keeps_properties)


# How an item changes


def _begin(user: User, name: str) -> Collected:
    collected = Collected()
    user.collections = {**user.collections, name: collected}  # an empty one is shared
    return collected


def clear(collected: Collected, at_ms: int) -> None:
    """Nothing that happened up to `at_ms` counts any more; what happened after it stays."""
    collected.cleared_at_ms = at_ms
    items = []
    for item in collected.items:
        moves = item.moves
        later = moves[2 * bisect_right(moves[::2], at_ms) :]
        if item.added_at_ms > at_ms:
            items.append(item if later == moves else _moved(item, later))
        elif later:
            items.append(Item(item.key, NEVER_ADDED, later))
    collected.items = tuple(sorted(items, key=_place))


def _add(collection: Collection, collected: Collected, at_ms: int, said: ItemSaid) -> None:
    key = said.key
    if collection.form == "cart":
        _move(collected, at_ms, key, said.quantity)
    items = collected.items
    known = _find(items, key)
    if known is None or at_ms >= known.added_at_ms:
        moves = () if known is None else known.moves
        item = Item(key, at_ms, moves, said.price, said.properties)
        others = [one for one in items if one is not known]
        others.insert(bisect_right(others, at_ms, key=_place), item)
        collected.items = tuple(others)


def _move(collected: Collected, at_ms: int, key: str, change: float) -> None:
    """Note a change of an item's quantity in its place in time."""
    items = collected.items
    known = _find(items, key)
    if known is None:
        collected.items = (Item(key, NEVER_ADDED, (at_ms, change)), *items)
    else:
        moves = known.moves
        place = 2 * bisect_right(moves[::2], at_ms)
        moves = (*moves[:place], at_ms, change, *moves[place:])
        if len(moves) > 2 * MOVES_MAX:
            moves = (moves[2], quantity_of(moves[:4]), *moves[4:])
        moved = _moved(known, moves)
        collected.items = tuple([moved if one is known else one for one in items])


def bound(collection: Collection, collected: Collected) -> None:
    """Let go of the oldest items, and of their properties, beyond what a collection may hold."""
    items = collected.items
    if collection.form == "recent":
        items = items[-collection.items_max :]
    elif len(items) > min(collection.items_max, GONE_MAX):
        held = [item for item in items if quantity_of(item.moves)]
        gone = [item for item in items if not quantity_of(item.moves)]
        gone.sort(key=lambda item: item.moves[-2:])
        kept = {item.key for item in (*held[-collection.items_max :], *gone[-GONE_MAX:])}
        items = tuple([item for item in items if item.key in kept])
    if len(items) * ITEM_BYTES_MAX > PROPERTIES_BYTES_MAX:
        items = _lightened(items)
    collected.items = items


def _lightened(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Without the properties of the oldest, where those of all are too many bytes."""
    room = PROPERTIES_BYTES_MAX
    lightened = []
    for item in reversed(items):
        room -= len(item.properties)
        light = room < 0 and item.properties
        lightened.append(msgspec.structs.replace(item, properties=b"") if light else item)
    return tuple(reversed(lightened))


def _find(items: tuple[Item, ...], key: str) -> Item | None:
    for item in items:
        if item.key == key:
            return item
    return None


def _moved(item: Item, moves: tuple[int | float, ...]) -> Item:
    return Item(item.key, item.added_at_ms, moves, item.price, item.properties)


def _place(item: Item) -> int:
    return item.added_at_ms


def _shown(item: Item, key: str) -> dict[str, Any]:
    if item.properties:
        shown: dict[str, Any] = _decode(item.properties)
        return shown
    return {key: item.key, "price": item.price}
