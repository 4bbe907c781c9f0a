from __future__ import annotations

import pytest

from engine.core.inputs import UsersMerged
from engine.core.people import aliases
from engine.core.people.aliases import Aliases
from engine.core.state import Merged, User
from tests.core.world import World

USERS = {
    "ada": User("ada", aliases={"anon-1": 5, "old": 6}),
    "bob": User("bob"),
    "anon-2": User("anon-2", is_anonymous=True),
}


def judge(user: str, merged: str, *, alias: bool = False) -> str | None:
    said = UsersMerged(user, 9, 9, merged_id=merged, is_alias=alias)
    users = dict(USERS)
    return Aliases(users).judge(said, users)


def test_an_id_that_was_merged_away_is_no_user_whatever_was_saved_of_it() -> None:
    users = {
        "old": User("old", aliases={"anon-1": 5}),
        "stub": Merged("stub", merged_into="old"),
        **USERS,
    }
    known = Aliases(users)
    assert users.keys() == USERS.keys()
    assert known.of == {"anon-1": "ada", "old": "ada"}
    assert [known.bearer(one) for one in ("old", "ada", "new")] == ["ada", "ada", "new"]


@pytest.mark.parametrize("merged", ["anon-2", "never-seen"])
@pytest.mark.parametrize("user", ["ada", "old", "bob", "nobody-yet"])
@pytest.mark.parametrize("alias", [True, False])
def test_somebody_anonymous_becomes_whoever_names_him(
    user: str, merged: str, *, alias: bool
) -> None:
    assert judge(user, merged, alias=alias) is None


def test_an_identify_call_merges_no_two_customers() -> None:
    assert judge("bob", "anon-1") == ""  # ada's by now
    assert judge("bob", "ada") == ""
    assert judge("ada", "bob") == ""
    assert judge("bob", "bob") == ""


def test_an_alias_call_merges_whom_it_names() -> None:
    assert judge("bob", "ada", alias=True) is None
    assert judge("ada", "bob", alias=True) is None


def test_what_is_one_already_is_not_merged_again() -> None:
    assert judge("ada", "old", alias=True) == ""
    assert judge("old", "anon-1", alias=True) == ""
    assert judge("ada", "anon-1") == ""


def test_what_an_alias_call_cannot_mean_is_refused_with_a_reason() -> None:
    assert judge("bob", "bob", alias=True) == "a user cannot be merged into himself"
    assert "circle" in (judge("old", "ada", alias=True) or "")
    assert judge("bob", "old", alias=True) == "this id was merged into another user before"


def test_a_refused_alias_call_is_quarantined_and_leaves_everything_as_it_is() -> None:
    world = World()
    world.event("Seen", 0, user="u")
    world.alias("u", 10)
    (kept,) = world.quarantined
    assert (kept.source, kept.path) == ("alias", "$.previous_id")
    assert kept.body == (
        b'{"type":"alias","user_id":"u","timestamp":1767225600010,"previous_id":"u"}'
    )
    assert world.user().aliases == {}


def test_a_user_has_no_more_ids_than_can_be_saved_with_him(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "ALIASES_MAX", 2)
    world = World()
    for number in range(3):
        world.merge(f"anon-{number}", number, name=str(number))
    assert list(world.user().aliases) == ["anon-0", "anon-1"]
    assert world.user().traits == {"name": "2"}
    assert [one.path for one in world.quarantined] == ["$.anonymous_id"]
