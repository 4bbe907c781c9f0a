from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import collections
from engine.core.collections import Collection, collect, keep_only, roles, touched_by
from engine.core.inputs import EventImported, EventReceived
from engine.core.plan import Plan
from engine.core.state import User, decode_user, encode_user, new_user
from engine.runtime.admin.dossier import told_state
from tests.core.world import START, World, campaign, leave, send, wait
from tests.core.world import when as when_

CART = Collection(
    "cart", ("Product Added",), ("Product Removed",), ("Order Completed", "Cart Cleared")
)
RECENT = Collection("recent", ("Product Viewed",), items_max=10, form="recent")
BOTH = (CART, RECENT)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def happen(
    user: User,
    name: str,
    t: int,
    said: dict[str, Any] | bytes,
    kept: tuple[Collection, ...] = BOTH,
) -> None:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    user.last_seen_at_ms = max(user.last_seen_at_ms, t)
    event = EventReceived(user.user_id, name, t, t, msgspec.Raw(raw))
    collect(user, event, roles(kept, name))


def add(user: User, t: int, product: Any, **said: Any) -> None:
    happen(user, "Product Added", t, {"product_id": product, **said})


def remove(user: User, t: int, product: Any, **said: Any) -> None:
    happen(user, "Product Removed", t, {"product_id": product, **said})


def cart(user: User) -> Any:
    return collections.bind(CART, user)


def recent(user: User) -> Any:
    return collections.bind(RECENT, user)


def held(user: User) -> list[tuple[str, float]]:
    return [(item["product_id"], item["quantity"]) for item in cart(user)["items"]]


def test_a_user_who_added_nothing_has_an_empty_cart() -> None:
    user = new_user("u")
    assert cart(user) == {"items": [], "size": 0, "value": 0.0}
    assert recent(user) == []


def test_a_cart_has_an_item_a_product_the_newest_last_and_its_value() -> None:
    user = new_user("u")
    add(user, 1, "a", price=10, name="Fern")
    add(user, 2, "b", price=2.5, quantity=4)
    assert cart(user) == {
        "items": [
            {"product_id": "a", "price": 10, "name": "Fern", "quantity": 1},
            {"product_id": "b", "price": 2.5, "quantity": 4},
        ],
        "size": 2,
        "value": 20.0,
        "updated_at": EPOCH + timedelta(milliseconds=2),
    }


def test_adding_again_adds_to_the_quantity_and_moves_to_the_newest_place() -> None:
    user = new_user("u")
    add(user, 1, "a", price=10)
    add(user, 2, "b")
    add(user, 3, "a", price=8, quantity=2)
    assert held(user) == [("b", 1), ("a", 3)]
    assert cart(user)["value"] == 24.0


def test_a_removal_changes_the_quantity_alone_and_at_zero_the_item_goes() -> None:
    user = new_user("u")
    add(user, 1, "a", price=10, quantity=3)
    add(user, 2, "b", price=1)
    remove(user, 3, "a", price=99, name="other")
    assert cart(user)["items"][0] == {"product_id": "a", "price": 10, "quantity": 2}
    remove(user, 4, "a", quantity=5)
    assert held(user) == [("b", 1)]
    add(user, 5, "a")
    assert held(user) == [("b", 1), ("a", 1)]


@pytest.mark.parametrize("name", ["Order Completed", "Cart Cleared"])
def test_a_clear_empties_the_cart(name: str) -> None:
    user = new_user("u")
    add(user, 1, "a")
    happen(user, name, 2, {})
    assert cart(user) == {
        "items": [], "size": 0, "value": 0.0, "updated_at": EPOCH + timedelta(milliseconds=2)
    }  # fmt: skip


def test_what_was_added_before_a_clear_and_comes_after_it_stays_out() -> None:
    user = new_user("u")
    happen(user, "Order Completed", 10, {})
    add(user, 9, "a")
    assert held(user) == []
    add(user, 11, "a")
    assert held(user) == [("a", 1)]


def test_a_clear_that_comes_late_takes_what_was_there_before_it() -> None:
    user = new_user("u")
    add(user, 5, "a", name="old", quantity=2)
    add(user, 5, "b")
    add(user, 15, "a", name="new")
    happen(user, "Order Completed", 10, {})
    assert held(user) == [("a", 1)]
    assert cart(user)["items"][0]["name"] == "new"


def test_a_removal_that_comes_before_its_addition_still_removes_it() -> None:
    user = new_user("u")
    remove(user, 2, "a")
    assert held(user) == []
    add(user, 1, "a")
    assert held(user) == []


def test_a_late_addition_adds_to_the_quantity_and_keeps_newer_properties_and_place() -> None:
    user = new_user("u")
    add(user, 5, "a", name="new")
    add(user, 6, "b")
    add(user, 1, "a", name="old")
    assert held(user) == [("a", 2), ("b", 1)]
    assert cart(user)["items"][0]["name"] == "new"


def test_recent_has_the_last_ten_different_products_newest_first() -> None:
    user = new_user("u")
    for t, product in enumerate("abcdefghijkl"):
        happen(user, "Product Viewed", t, {"product_id": product})
    happen(user, "Product Viewed", 20, {"product_id": "e", "name": "again"})
    assert [item["product_id"] for item in recent(user)] == list("elkjihgfdc")
    assert recent(user)[0] == {"product_id": "e", "name": "again"}
    happen(user, "Product Viewed", 0, {"product_id": "late"})
    assert [item["product_id"] for item in recent(user)] == list("elkjihgfdc")


@pytest.mark.parametrize("product", [None, "", "  ", True, [], {}, 1.5, "x" * 201, 1 << 70])
def test_an_event_that_names_no_product_changes_nothing(product: Any) -> None:
    user = new_user("u")
    add(user, 1, product)
    happen(user, "Product Added", 1, {})
    happen(user, "Product Added", 1, b"[]")
    happen(user, "Product Viewed", 1, {"product_id": product})
    assert user.collections == {}


def test_a_product_is_the_same_as_number_and_as_text() -> None:
    user = new_user("u")
    add(user, 1, 7)
    add(user, 2, "7")
    add(user, 3, 7.0)
    assert [item["quantity"] for item in cart(user)["items"]] == [3]


@pytest.mark.parametrize(
    ("price", "value"),
    [
        ("19.90", 19.9), (" 5 ", 5.0), (-5, -5.0), (0, 0.0), (1e12, 1e12),
        ("19,90", 0.0), ("$5", 0.0), ("nan", 0.0), ("1e9", 0.0), ("", 0.0), ("9" * 40, 0.0),
        (None, 0.0), (True, 0.0), ([5], 0.0), ({"amount": 5}, 0.0), (1e300, 0.0), (10**40, 0.0),
        (float("nan"), 0.0), (float("inf"), 0.0),
    ],
)  # fmt: skip
def test_a_price_that_is_no_number_counts_nothing(price: Any, value: float) -> None:
    user = new_user("u")
    add(user, 1, "a", price=price)
    # JSON has no form for the last two: such properties are no object, and the event no item.
    assert cart(user)["value"] == value


@pytest.mark.parametrize(
    ("quantity", "counted"),
    [
        (2, 2), ("2", 2), (2.0, 2), (1.5, 1.5), (10**9, 10**9),
        (None, 1), ("two", 1), (True, 1), ([], 1), (10**10, 1), (1e300, 1), (10**40, 1),
        (-(10**10), 1),
    ],
)  # fmt: skip
def test_a_quantity_that_is_no_number_is_one(quantity: Any, counted: float) -> None:
    user = new_user("u")
    add(user, 1, "a", quantity=quantity)
    assert held(user) == [("a", counted)]


@pytest.mark.parametrize("quantity", [0, -1, "-3", 1e-9])
def test_a_quantity_of_zero_or_less_changes_nothing(quantity: Any) -> None:
    user = new_user("u")
    add(user, 1, "a", quantity=2)
    before = encode_user(user)
    user_after = decode_user(before)
    add(user_after, 1, "a", quantity=quantity)
    remove(user_after, 1, "a", quantity=quantity)
    assert encode_user(user_after) == before


def test_fractions_of_a_quantity_leave_nothing_behind() -> None:
    user = new_user("u")
    add(user, 1, "a", quantity=0.1)
    add(user, 2, "a", quantity=0.2)
    remove(user, 3, "a", quantity=0.3)
    assert held(user) == []


def test_values_stay_finite_whatever_comes() -> None:
    user = new_user("u")
    for t in range(300):
        add(user, t, f"{t % 100}", price=1e12, quantity=10**9)
    assert cart(user)["value"] == 1e12 * 1e9 * 100


def test_an_enormous_item_loses_its_largest_properties() -> None:
    user = new_user("u")
    add(user, 1, "a", price=5, description="x" * 5_000, name="Fern", html=["y"] * 9_000)
    assert cart(user)["items"] == [{"product_id": "a", "price": 5, "name": "Fern", "quantity": 1}]


def test_beyond_its_bound_a_cart_lets_go_of_the_oldest_items() -> None:
    user = new_user("u")
    for t in range(150):
        add(user, t, t, price=1)
    assert cart(user)["size"] == 100
    assert cart(user)["items"][0]["product_id"] == 50


def test_beyond_their_bound_the_oldest_items_keep_but_id_price_and_quantity() -> None:
    user = new_user("u")
    for t in range(60):
        add(user, t, f"p{t}", price=2, quantity=3, text="x" * 1_900)
    shown = cart(user)
    assert (shown["size"], shown["value"]) == (60, 360.0)
    assert shown["items"][0] == {"product_id": "p0", "price": 2.0, "quantity": 3}
    assert len(shown["items"][-1]["text"]) == 1_900
    assert len(encode_user(user)) < 70_000


def test_what_was_taken_out_is_known_for_some_items_alone() -> None:
    user = new_user("u")
    for t in range(0, 100, 2):
        add(user, t, t)
        remove(user, t + 1, t)
    assert held(user) == []
    assert len(user.collections["cart"].items) == collections.GONE_MAX


def test_changes_of_one_item_are_bounded_and_none_is_lost() -> None:
    user = new_user("u")
    for t in range(500):
        add(user, t, "a", quantity=2)
        remove(user, t, "a")
    assert held(user) == [("a", 500)]
    (item,) = user.collections["cart"].items
    assert len(item.moves) == 2 * collections.MOVES_MAX


def test_where_nothing_asks_for_items_their_properties_are_not_kept() -> None:
    user = new_user("u")
    valued = msgspec.structs.replace(CART, keeps_properties=False)
    happen(user, "Product Added", 1, {"product_id": "a", "price": "5", "name": "x"}, (valued,))
    bound = collections.bind(valued, user)
    assert bound == {"size": 1, "value": 5.0, "updated_at": EPOCH + timedelta(milliseconds=1)}
    assert user.collections["cart"].items[0].properties == b""
    # A plan that comes to ask for them has what is known.
    assert cart(user)["items"] == [{"product_id": "a", "price": 5.0, "quantity": 1}]


def test_a_shop_names_events_and_the_property_that_tells_items_apart() -> None:
    wishlist = Collection("wishlist", ("Wished",), ("Unwished",), ("Emptied",), key="sku")
    user = new_user("u")
    happen(user, "Wished", 1, {"sku": "s", "product_id": "a"}, (*BOTH, wishlist))
    assert collections.bind(wishlist, user)["items"] == [
        {"sku": "s", "product_id": "a", "quantity": 1}
    ]
    assert cart(user)["size"] == 0


def test_one_event_may_add_to_one_collection_and_take_from_another() -> None:
    wishlist = Collection("wishlist", ("Wished",), ("Product Added",))
    kept = (CART, wishlist)
    user = new_user("u")
    happen(user, "Wished", 1, {"product_id": "a"}, kept)
    happen(user, "Product Added", 2, {"product_id": "a"}, kept)
    assert held(user) == [("a", 1)]
    assert collections.bind(wishlist, user)["size"] == 0
    assert touched_by(kept, "Product Added") == {"cart", "wishlist"}
    assert touched_by(kept, "Wished") == {"wishlist"}
    assert touched_by(kept, "Order Completed") == {"cart"}
    assert touched_by(kept, "Other") == frozenset()


def test_what_a_plan_does_not_ask_for_goes() -> None:
    user = new_user("u")
    add(user, 1, "a")
    happen(user, "Product Viewed", 1, {"product_id": "a"})
    both = {"cart": CART, "recent": RECENT}
    keep_only(user, both, {"cart": CART})
    assert set(user.collections) == {"cart"}
    keep_only(user, both, {"cart": msgspec.structs.replace(CART, add=("Other",))})
    assert held(user) == [("a", 1)]
    keep_only(user, {}, both)
    assert held(user) == [("a", 1)]
    keep_only(user, both, {"cart": msgspec.structs.replace(CART, key="sku")})
    assert user.collections == {}


def test_a_user_is_read_back_as_he_was_saved() -> None:
    user = new_user("u")
    add(user, 1, "a", price=5)
    happen(user, "Product Viewed", 1, {"product_id": "a"})
    again = decode_user(encode_user(user))
    assert again.collections == user.collections
    assert encode_user(again) == encode_user(user)


# Against a naive twin that makes a collection anew from all events, in order of their time

Happened = tuple[str, str, int, int, int]
"""Name, product, quantity, price, t."""

NAMES = ("Product Added", "Product Removed", "Order Completed", "Product Viewed", "Other")
happenings: st.SearchStrategy[list[Happened]] = st.lists(
    st.tuples(
        st.sampled_from((*NAMES, "Product Added", "Product Removed")),
        st.sampled_from("abc"),
        st.integers(1, 3),
        st.integers(0, 4),
        st.integers(0, 12),
    ),
    max_size=14,
)


def counted(came: list[Happened], names: set[str], clears: set[str]) -> list[Happened]:
    """What counts, in order of time, and at one time in order of arrival."""
    row: list[tuple[int, int, Happened]] = []
    newest = cleared = -1
    for place, one in enumerate(came):
        name, t = one[0], one[4]
        late = t < newest
        newest = max(newest, t)
        if t < cleared or (late and t == cleared):
            continue
        if name in clears:
            cleared = t
            row = [(at, number, other) for at, number, other in row if at > t]
        elif name in names:
            row.append((t, place, one))
    return [one for _, _, one in sorted(row)]


def naive_cart(came: list[Happened]) -> list[tuple[str, int, int]]:
    """Product, quantity and price of the latest addition, newest last."""
    quantities: dict[str, int] = {}
    prices: dict[str, int] = {}
    for name, product, quantity, price, _ in counted(
        came, {"Product Added", "Product Removed"}, {"Order Completed"}
    ):
        if name == "Product Added":
            quantities[product] = quantities.get(product, 0) + quantity
            prices.pop(product, None)
            prices[product] = price
        else:
            quantities[product] = max(0, quantities.get(product, 0) - quantity)
    return [(one, quantities[one], price) for one, price in prices.items() if quantities[one]]


def naive_recent(came: list[Happened]) -> list[tuple[str, int]]:
    seen: dict[str, int] = {}
    for _, product, _, price, _ in counted(came, {"Product Viewed"}, set()):
        seen.pop(product, None)
        seen[product] = price
    return list(reversed(seen.items()))


@settings(max_examples=300)
@given(happenings)
def test_collections_are_what_all_events_make_in_order_of_time_however_they_came(
    came: list[Happened],
) -> None:
    user = new_user("u")
    for name, product, quantity, price, t in came:
        happen(user, name, t, {"product_id": product, "quantity": quantity, "price": price})
    shown = cart(user)
    assert [
        (one["product_id"], one["quantity"], one["price"]) for one in shown["items"]
    ] == naive_cart(came)
    assert shown["size"] == len(naive_cart(came))
    assert shown["value"] == sum(quantity * price for _, quantity, price in naive_cart(came))
    assert [(one["product_id"], one["price"]) for one in recent(user)] == naive_recent(came)
    assert decode_user(encode_user(user)).collections == user.collections


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | st.sampled_from(["1", "-2", "3.5", " 4 ", "x" * 3_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.integers(0, 9),
            st.fixed_dictionaries(
                {},
                optional={
                    "product_id": st.sampled_from(["a", "b", 1]) | anything,
                    "price": anything,
                    "quantity": anything,
                    "more": anything,
                },
            ),
        ),
        max_size=12,
    )
)
def test_whatever_events_say_a_collection_can_be_shown_and_saved(
    came: list[tuple[str, int, dict[str, Any]]],
) -> None:
    user = new_user("u")
    for name, t, said in came:
        happen(user, name, t, said)
    again = decode_user(encode_user(user))
    for collection in BOTH:
        shown = [msgspec.json.encode(collections.bind(collection, one)) for one in (user, again)]
        assert shown[0] == shown[1]


# Real shoppers (Otto's recommender data, CC-BY 4.0), which are not part of this repository

OTTO = Path(__file__).parents[2] / "../shared/data/events/otto_sample/train.jsonl"
OTTO_CART = Collection("cart", ("carts",), ("orders",), key="aid", items_max=1_000)
OTTO_RECENT = Collection("recent", ("clicks",), key="aid", items_max=10, form="recent")


@pytest.mark.skipif(not OTTO.exists(), reason="Otto's events are not on this machine")
def test_real_sessions_have_the_carts_and_the_recent_products_that_their_events_make() -> None:
    sessions = [json.loads(line) for line in OTTO.read_text().splitlines()]
    filled = 0
    for session in sessions:
        user = new_user(str(session["session"]))
        pieces: dict[int, Fraction] = {}
        viewed: list[int] = []
        for event in session["events"]:
            happen(
                user, event["type"], event["ts"], {"aid": event["aid"]}, (OTTO_CART, OTTO_RECENT)
            )
            aid = event["aid"]
            if event["type"] == "carts":
                pieces = {one: left for one, left in pieces.items() if one != aid or left}
                pieces[aid] = pieces.pop(aid, Fraction(0)) + 1
            elif event["type"] == "orders":
                pieces[aid] = max(Fraction(0), pieces.get(aid, Fraction(0)) - 1)
            else:
                viewed = [aid, *[one for one in viewed if one != aid]][:10]
            shown = collections.bind(OTTO_CART, user)["items"]
            assert [(one["aid"], one["quantity"]) for one in shown] == [
                (one, left) for one, left in pieces.items() if left
            ]
            assert [one["aid"] for one in collections.bind(OTTO_RECENT, user)] == viewed
            filled = max(filled, len(shown))
    assert len(sessions) == 20
    assert filled > 5


# In a plan

REMINDED = campaign("c", wait(10, "w"), send("push", names=frozenset({"cart"})), on=("Go",))


def shown(world: World) -> dict[str, Any]:
    (message,) = world.messages
    snapshot: dict[str, Any] = msgspec.json.decode(message.snapshot)
    return snapshot


def test_a_condition_at_entry_sees_the_item_that_the_event_has_just_added() -> None:
    full = campaign("c", wait(5), on=("Product Added",), when="cart.value > 20.0")
    world = World(full, collections=BOTH)
    assert world.event("Product Added", 0, product_id="a", price=15) == []
    assert world.event("Product Added", 1, product_id="b", price=15) == ["1 c entered"]
    assert set(world.user().collections) == {"cart"}


def test_a_condition_on_the_way_sees_the_cart_as_it_is_then() -> None:
    asks = campaign("c", wait(10), when_("cart.size == 0 && size(recent) == 1", (leave("x"),)))
    world = World(asks, collections=BOTH)
    world.event("Go", 0)
    world.event("Product Added", 1, product_id="a")
    world.event("Product Viewed", 2, product_id="a")
    world.event("Order Completed", 3)
    assert world.advance(10)[-1] == "10 c exited steps.1.then.0 x"


def test_an_audience_and_a_per_value_may_ask_for_a_collection() -> None:
    asks = campaign("c", wait(5), audience="size(recent) > 0", per="recent[0].product_id")
    world = World(asks, collections=BOTH)
    assert world.event("Go", 0) == ["0 c refused audience"]
    world.event("Product Viewed", 1, product_id="a")
    assert world.event("Go", 2) == ["2 c entered"]
    assert world.event("Go", 3) == ["3 c refused active"]
    world.event("Product Viewed", 4, product_id="b")
    assert world.event("Go", 5) == ["5 c entered"]


def test_a_message_takes_the_collections_with_it_that_its_template_names() -> None:
    world = World(REMINDED, collections=BOTH)
    world.identify(0, push="token")
    world.event("Product Added", 1, product_id="a", price=2.5, brand="Fern")
    world.event("Product Viewed", 2, product_id="a")
    world.event("Go", 3)
    world.advance(13)
    # What no split and no manual start brought is not there, as for templates without a cart.
    assert set(shown(world)) == {"user", "event", "event_name", "campaign", "cart"}
    assert shown(world)["cart"] == {
        "items": [{"product_id": "a", "price": 2.5, "brand": "Fern", "quantity": 1}],
        "size": 1,
        "value": 2.5,
        "updated_at": "2026-01-01T00:00:00.001000Z",
    }


def test_a_message_whose_template_names_none_takes_none() -> None:
    plain = campaign("d", send("push"), on=("Go",))
    world = World(REMINDED, plain, collections=BOTH)
    world.identify(0, push="token")
    world.event("Product Added", 1, product_id="a")
    world.event("Go", 2)
    assert set(shown(world)) == {"user", "event", "event_name", "campaign"}


def test_history_that_is_brought_in_fills_a_cart_and_enters_nobody() -> None:
    full = campaign("c", wait(5), on=("Product Added",), when="cart.size > 0")
    world = World(full, collections=BOTH)
    raw = msgspec.Raw(b'{"product_id":"a"}')
    world.processor.take(EventImported("u", "Product Added", START - 9, START, raw), START)
    assert world.commit() == []
    assert held(world.user()) == [("a", 1)]


def test_where_nothing_asks_for_a_collection_none_is_kept() -> None:
    world = World(campaign("c", wait(5), on=("Product Added",)), collections=BOTH)
    world.event("Product Added", 0, product_id="a")
    assert world.user().collections == {}
    assert world.processor.plan.collections == {}


def test_a_collection_that_a_changed_shop_asks_for_starts_empty() -> None:
    silent = campaign("c", wait(99, "w"))
    world = World(silent, collections=BOTH)
    world.event("Product Added", 0, product_id="a")
    world.adopt(REMINDED, at=1)
    world.event("Product Added", 2, product_id="b")
    assert held(world.user()) == [("b", 1)]
    world.adopt(silent, at=3, plan_id="p3")
    assert world.user().collections == {}
    world.event("Product Added", 4, product_id="c")
    world.adopt(REMINDED, at=5, plan_id="p4")
    assert held(world.user()) == []


def test_of_what_a_shop_declares_a_plan_has_what_is_asked_for() -> None:
    asks = campaign("c", wait(1), when="cart.value > 5.0 && wishlist.items.size() > 0")
    wishlist = Collection("wishlist", ("Wished",))
    plan = Plan("p", [asks], collections=[*BOTH, wishlist])
    kept = {name: one.keeps_properties for name, one in plan.collections.items()}
    assert kept == {"cart": False, "wishlist": True}
    assert plan.reactions("Wished") is not None
    assert plan.reactions("Product Viewed") is None


def test_what_is_told_of_a_user_has_his_collections() -> None:
    world = World(REMINDED, collections=BOTH)
    world.event("Product Added", 1, product_id="a", price=2.5)
    assert told_state(world.user())["collections"] == {
        "cart": {
            "changed_at": "2026-01-01T00:00:00.001Z",
            "items": [
                {
                    "item": "a",
                    "added_at": "2026-01-01T00:00:00.001Z",
                    "changes": [{"at": "2026-01-01T00:00:00.001Z", "quantity": 1}],
                    "price": 2.5,
                    "properties": msgspec.Raw(b'{"product_id":"a","price":2.5}'),
                }
            ],
        }
    }


def test_a_condition_that_reads_no_items_has_none_made_for_it_whoever_else_reads_them() -> None:
    valued = campaign("c", wait(5), on=("Product Added",), when="cart.value > 1.0")
    items = campaign("d", wait(5), on=("Go",), when="cart.items[0].product_id == 'a'")
    world = World(valued, items, REMINDED, collections=BOTH)
    world.event("Product Added", 0, product_id="a", price=5)
    user, plan = world.user(), world.processor.plan
    event = EventReceived("u", "", START, START)
    added, go = plan.reactions("Product Added"), plan.reactions("Go")
    assert added is not None
    assert go is not None
    assert set(added.bind(user, event)["cart"]) == {"size", "value", "updated_at"}
    assert go.bind(user, event)["cart"] == cart(user)
