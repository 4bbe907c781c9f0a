from __future__ import annotations

from random import Random  # noqa: TID251 - seeded

import pytest

from engine.runtime.oldest import OldestFirst


@pytest.mark.parametrize("seed", range(20))
def test_it_is_a_dict_whose_first_are_at_hand(seed: int) -> None:
    """Beside a dict, in which who steps out and comes again is the last."""
    draw = Random(seed)
    waiting = OldestFirst()
    twin: dict[str, int] = {}
    number = 1
    for _ in range(400):
        number += draw.randrange(2)
        one = f"u{draw.randrange(12)}"
        deed = draw.randrange(4)
        if deed <= 1 and one not in twin:
            waiting.add(one, number)
            twin[one] = number
        elif deed == 2:
            waiting.remove(one)
            twin.pop(one, None)
        elif deed == 3:
            count, before = draw.randrange(3), number - draw.randrange(12)
            chosen = []
            for name, since in twin.items():
                if len(chosen) >= count and since >= before:
                    break
                chosen.append(name)
            for name in chosen:
                del twin[name]
            assert waiting.take(count, before) == chosen
        assert list(waiting) == list(twin)
        assert len(waiting) == len(twin)
        assert waiting.first(-7) == next(iter(twin.values()), -7)


def test_who_came_again_in_the_same_number_is_in_it_once() -> None:
    waiting = OldestFirst()
    for one in ("a", "b"):
        waiting.add(one, 1)
    waiting.remove("a")
    waiting.add("a", 1)
    assert list(waiting) == waiting.take(9) == ["b", "a"]
