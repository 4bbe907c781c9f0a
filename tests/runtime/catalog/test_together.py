from __future__ import annotations

from itertools import islice
from random import Random  # noqa: TID251 - a script of events

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.catalog import together as module
from engine.runtime.catalog.together import Together, product_id


def _first(together: Together, *given: str, count: int = 3) -> list[str]:
    return list(islice((one for one in together.suggest(given) if one not in given), count))


def test_what_was_bought_together_comes_before_what_was_viewed_together() -> None:
    together = Together()
    for user in range(5):
        together.view(f"u{user}", "fern")
        together.view(f"u{user}", "oak")
    together.buy("u9", ["fern", "pot"])
    together.buy("u8", ["fern", "pot", "soil"])
    assert _first(together, "fern") == ["pot", "soil", "oak"]
    assert _first(together, "pot", count=2) == ["fern", "soil"]


def test_where_nothing_is_known_what_most_people_buy_comes_first() -> None:
    together = Together()
    for user in range(9):
        together.view(f"u{user}", "seen")
    together.buy("a", ["one"])
    together.buy("b", ["two"])
    together.buy("c", ["two"])
    assert _first(together, "unheard of") == ["two", "one", "seen"]


def test_only_views_of_one_user_soon_after_each_other_go_together() -> None:
    together = Together()
    together.view("ann", "a")
    together.view("bob", "b")
    assert _first(together, "a", count=1) == ["b"]  # as what others look at
    together.view("ann", "c")
    for number in range(module.VIEWS_MAX):
        together.view("ann", f"x{number}")
    together.view("ann", "late")
    assert "late" not in list(islice(together.suggest(["a"]), 1))


def test_what_a_user_bought_is_his_under_each_of_his_ids_until_he_is_forgotten() -> None:
    together = Together()
    together.buy("device", ["fern"])
    together.merge("ann", "device")
    together.buy("device", ["oak"])
    assert together.owned("ann") == {"fern", "oak"} == together.owned("device")
    together.forget(["ann", "device"])
    assert together.owned("ann") == frozenset() == together.owned("device")
    assert _first(together, "pot", count=2) == ["fern", "oak"]


def test_nothing_grows_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRODUCTS_MAX", "USERS_MAX", "PARTNERS_MAX", "OWNED_MAX"):
        monkeypatch.setattr(module, name, 20)
    together, draw = Together(), Random(7)
    for number in range(5_000):
        user = f"u{draw.randrange(500)}"
        product = f"p{min(draw.randrange(500), draw.randrange(500))}"
        if number % 3:
            together.view(user, product)
        else:
            together.buy(user, [product, f"p{draw.randrange(10)}"])
        if not number % 50:
            together.merge(f"u{draw.randrange(500)}", f"d{draw.randrange(500)}")
    assert len(together._popular) <= 41
    assert len(together._partners) <= 60
    assert all(len(partners) <= 41 for partners in together._partners.values())
    assert len(together._people) <= 20
    assert len(together._bearers) <= 20
    assert _first(together, "none", count=1)[0] in {f"p{number}" for number in range(10)}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans())))
def test_the_same_inputs_say_the_same(script: list[tuple[str, str, bool]]) -> None:
    one, other = Together(), Together()
    for together in (one, other):
        for user, product, bought in script:
            if bought:
                together.buy(user, [product, "x"])
            else:
                together.view(user, product)
    assert list(one.suggest(["x"])) == list(other.suggest(["x"]))


@pytest.mark.parametrize(
    ("value", "meant"), [("a", "a"), (7, "7"), (True, ""), (None, ""), ([], ""), ("x" * 200, "")]
)
def test_an_id_is_a_text_or_a_number(value: object, meant: str) -> None:
    assert product_id(value) == meant
