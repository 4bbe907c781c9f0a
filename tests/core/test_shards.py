from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.shards import Shards

KEYS = st.text(max_size=2)
DEEDS = st.lists(st.tuples(st.sampled_from(["set", "del", "discard"]), KEYS, st.integers(0, 9)))


@given(DEEDS)
def test_it_is_a_dict_but_for_its_order(deeds: list[tuple[str, str, int]]) -> None:
    shards: Shards[int] = Shards()
    twin: dict[str, int] = {}
    for deed, key, value in deeds:
        if deed == "set":
            shards[key] = twin[key] = value
        elif deed == "discard":
            shards.discard(key)
            twin.pop(key, None)
        elif key in twin:
            del shards[key], twin[key]
        assert shards.get(key) == twin.get(key)
        assert (key in shards) == (key in twin)
    assert dict(shards) == twin
    assert len(shards) == len(twin)


def test_no_part_has_much_more_than_the_others() -> None:
    shards: Shards[None] = Shards()
    shards.update(dict.fromkeys((f"user-{number}" for number in range(25_600)), None))
    assert max(map(len, shards.parts)) < 200
