from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core import history
from engine.core.history import Kept, instants_of
from engine.core.state import new_user


@given(st.lists(st.integers(0, 9)), st.integers(1, 4))
def test_a_history_holds_the_newest_in_order_however_they_came(
    instants: list[int], keep: int
) -> None:
    user = new_user("u")
    for at_ms in instants:
        history.insert(user, "A", at_ms, Kept(keep), 9)
    assert list(instants_of(user.history.get("A", b""))) == sorted(instants)[-keep:]
    assert history.newest(user, "A") == max(instants, default=-1)


def test_names_do_not_mix() -> None:
    user = new_user("u")
    history.insert(user, "A", 5, Kept(1), 9)
    assert history.newest(user, "B") == -1
