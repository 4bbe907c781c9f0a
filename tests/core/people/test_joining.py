from __future__ import annotations

import msgspec
import pytest

from engine.core import history
from engine.core.people.joining import join_history, join_session
from engine.core.plan import Plan
from engine.core.state import Session, new_user
from tests.core.world import DAY, HOUR, START, campaign, wait

EARLIER = Session(0, 5, 10, first=True)
LATER = Session(3, 8, 13, first=True)


def over(session: Session) -> Session:
    return msgspec.structs.replace(session, ended=True)


@pytest.mark.parametrize(
    ("own", "theirs", "was_first", "joined"),
    [
        (EARLIER, LATER, False, Session(0, 8, 13, first=True)),
        (EARLIER, msgspec.structs.replace(LATER, first=False), False, Session(0, 8, 13)),
        (over(EARLIER), LATER, False, Session(3, 8, 13)),
        (EARLIER, over(LATER), False, Session(0, 5, 10)),
        (over(EARLIER), over(LATER), False, over(Session(3, 8, 13))),
        (None, LATER, True, LATER),
        (None, LATER, False, Session(3, 8, 13)),
        (EARLIER, None, False, Session(0, 5, 10)),
        (None, None, True, None),
    ],
)
def test_a_session_is_the_first_where_nothing_of_either_can_lie_before_it(
    own: Session | None, theirs: Session | None, was_first: bool, joined: Session | None
) -> None:
    sides = [None if one is None else msgspec.structs.replace(one) for one in (own, theirs)]
    assert join_session(*sides, was_first=was_first) == joined


@pytest.mark.parametrize(("held_until_ms", "kept"), [(0, 1), (START + DAY, 6)])
def test_while_deadlines_are_held_back_what_they_are_judged_by_stays(
    held_until_ms: int, kept: int
) -> None:
    plan = Plan("p", [campaign("c", wait(HOUR), exits=("Buy",))])
    user, other = new_user("u"), new_user("anon")
    for one in (user, other):
        one.held_until_ms = held_until_ms
        for at in range(3):
            history.insert(one, "Buy", START + at, plan.kept["Buy"], START + at)
    join_history(plan, user, other, START + HOUR)
    assert len(history.instants_of(user.history["Buy"])) == kept
