"""Merges in any order of arrival, against one user who has done it all.

What somebody does is told under his name and under ids that devices have drawn, early and late; at
some instants two of them turn out to be one. In the end conditions have to find what they would,
had all been told under one id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.collections import Collection, bind
from engine.core.history import instants_of
from tests.core.world import World, campaign, send

if TYPE_CHECKING:
    from engine.core.state import User

IDS = ("u", "anon-0", "anon-1", "anon-2")
NAMES = ("Look", "Buy", "Product Added", "Product Removed", "Order Completed")
CART = Collection("cart", ("Product Added",), ("Product Removed",), ("Order Completed",))
RECENT = Collection("recent", ("Look",), items_max=3, form="recent")
CONDITIONS = (
    'count("Look") >= 3 && sum("Buy", "price", "7d") > 20.0',
    'distinct("Look", "product_id", "7d") >= 2 && first("Buy").product_id == "a"',
    'cart.value > 10.0 && cart.size > 1 && recent[0].product_id == "b"',
    'last("Look").price > 5.0 || count("Order Completed", "1d") > 1',
)

happenings = st.one_of(
    st.tuples(
        st.just("event"), st.sampled_from(IDS), st.sampled_from(NAMES), st.sampled_from("abc"),
        st.integers(1, 9),
    ),
    st.tuples(st.sampled_from(["merge", "alias"]), st.sampled_from(IDS[1:])),
)  # fmt: skip


def world() -> World:
    campaigns = [
        campaign(f"c{place}", send("in_app"), rises=one) for place, one in enumerate(CONDITIONS)
    ]
    return World(*campaigns, collections=(CART, RECENT))


def known(user: User) -> dict[str, Any]:
    """All that conditions can find in a state, with its order."""
    return {
        "history": {name: [*instants_of(packed)] for name, packed in user.history.items()},
        "details": {
            name: (
                one.total,
                one.first_at_ms,
                one.first and one.first_properties(),
                [one.properties(place) for place in range(len(instants_of(user.history[name])))],
            )
            for name, one in user.details.items()
        },
        "collections": [bind(one, user) for one in (CART, RECENT)],
        "last_seen": user.last_seen_at_ms,
    }


@given(script=st.lists(happenings, min_size=2, max_size=24), shuffled=st.randoms())
@settings(max_examples=50)
def test_merged_in_any_order_a_user_knows_what_one_who_did_it_all_knows(
    script: list[tuple[Any, ...]], shuffled: Any
) -> None:
    # No two at one instant: in which order they came is not kept. Some happened before others
    # that came earlier.
    instants = [10 * place for place in range(1, len(script) + 1)]
    shuffled.shuffle(instants)
    split, whole = world(), world()
    split.event("Seen", 5)
    whole.event("Seen", 5)
    for place, (what, who, *said) in enumerate(script):
        at = 1_000 + place
        if what == "event":
            name, product, price = said
            for one, user in ((split, who), (whole, "u")):
                one.event(
                    name, at, t=instants[place], user=user, product_id=product, price=float(price)
                )
        elif what == "merge":
            split.merge(who, at)
        else:
            split.alias(who, at)
    for place, who in enumerate(IDS[1:]):
        split.merge(who, 2_000 + place)
    assert list(split.processor.users) == ["u"]
    assert known(split.user()) == known(whole.user())
