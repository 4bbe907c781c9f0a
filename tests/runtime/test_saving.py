"""Whom a commit saves, and where."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded

import pytest

from engine.core.state import User, decode_user, encode_user
from engine.runtime import saving
from engine.runtime.saving import Saving
from engine.store import user_log
from engine.store.batch import UserLog


def users(count: int) -> dict[str, User]:
    return {f"u{number}": User(f"u{number}") for number in range(count)}


def ids(states: list[bytes]) -> list[str]:
    return [decode_user(state).user_id for state in states]


def test_whoever_has_an_effect_is_in_the_log_and_gets_his_row_later() -> None:
    chosen = Saving(users(9), 100)
    first = chosen.choose(1, ["u1"], 1, 2)
    assert (first.rows, ids(first.states), first.log_from) == ([], ["u1"], 1)
    second = chosen.choose(2, ["u2"], 1, 3)
    assert ([name for name, _ in second.rows], ids(second.states)) == (["u1"], ["u2"])
    assert second.log_from == 2


def test_of_whoever_was_in_the_log_it_is_marked_there_that_his_row_is_newer() -> None:
    known = users(9)
    chosen = Saving(known, 100)
    chosen.choose(1, ["u1", "u2"], 1, 2)
    known["u2"].traits = {"bio": "x" * saving.STATE_LOGGED_MAX}  # goes to his row at once
    known["u3"].traits = dict(known["u2"].traits)  # and is in no log
    saves = chosen.choose(2, ["u2", "u3"], 1, 3)
    assert sorted(name for name, _ in saves.rows) == ["u1", "u2", "u3"]
    assert [user_log.marked(one) for one in saves.marks] == ["u1", "u2"]
    assert saves.states == []


def test_a_user_logged_again_needs_his_older_state_no_more() -> None:
    chosen = Saving(users(3), 100)
    chosen.choose(1, ["u1"], 1, 2)
    assert chosen.choose(2, ["u1"], 1, 3).log_from == 2


def test_a_large_state_goes_to_its_row_at_once() -> None:
    known = users(2)
    known["u1"].traits = {"bio": "x" * saving.STATE_LOGGED_MAX}
    saves = Saving(known, 100).choose(1, ["u1"], 1, 2)
    assert (saves.rows, saves.states) == ([("u1", encode_user(known["u1"]))], [])


def test_a_full_log_takes_no_more_and_grows_shorter() -> None:
    known = users(400)
    chosen = Saving(known, 100, UserLog({"u0": 1}, [(1, saving.LOG_BYTES_MAX)]))
    saves = chosen.choose(2, ["u1"], 1, 2)
    assert sorted(name for name, _ in saves.rows) == ["u0", "u1"]
    assert (saves.states, saves.log_from) == ([], 3)
    assert ids(chosen.choose(3, ["u1"], 1, 2).states) == ["u1"]


def test_a_log_of_many_small_states_grows_shorter_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "LOGGED_MAX", 40)
    known = users(400)
    chosen = Saving(known, 100)
    logged: set[str] = set()
    for number in range(1, 40):
        saves = chosen.choose(number, list(known)[number * 9 : number * 9 + 9], 9, 2)
        logged.update(ids(saves.states))
        logged -= {name for name, _ in saves.rows}
        assert len(logged) <= 40
    assert len(logged) >= 30


def test_a_forgotten_user_is_saved_no_more() -> None:
    known = users(3)
    chosen = Saving(known, 100)
    chosen.note(known["u2"], 1)
    chosen.choose(1, ["u1"], 0, 2)
    for name in ("u1", "u2"):
        del known[name]
        chosen.forget(name)
    saves = chosen.choose(2, [], 0, 2)
    assert (saves.rows, saves.states, saves.replay_from, saves.log_from) == ([], [], 2, 3)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_is_all_that_a_restart_needs(seed: int) -> None:
    """Beside a naive twin: the inputs of each user, and the newest that each saved state has."""
    draw = Random(seed)
    known = users(30)
    chosen = Saving(known, max_replay=50)
    rows: dict[str, int] = {}
    log: dict[int, dict[str, int]] = {}
    inputs_of: dict[str, list[int]] = {name: [] for name in known}
    next_input = 1
    for number in range(1, 300):
        inputs = draw.randrange(8)
        touched: dict[str, None] = {}
        for _ in range(inputs):
            user = known[draw.choice(list(known))]
            user.seen = next_input
            inputs_of[user.user_id].append(next_input)
            if not user.unsaved:
                chosen.note(user, next_input)
            next_input += 1
            if draw.random() < 0.3:
                touched[user.user_id] = None
        saves = chosen.choose(number, touched, inputs, next_input)
        rows.update((name, decode_user(state).seen) for name, state in saves.rows)
        log[number] = {one.user_id: one.seen for one in map(decode_user, saves.states)}
        log = {batch: states for batch, states in log.items() if batch >= saves.log_from}
        saved = dict(rows)
        for states in log.values():
            for name, seen in states.items():
                saved[name] = max(saved.get(name, 0), seen)
        for name, user in known.items():
            if user.seen and saved.get(name, 0) < user.seen:
                assert name not in touched
                assert (
                    saves.replay_from
                    <= next(
                        at for at in range(saved.get(name, 0) + 1, next_input) if at <= user.seen
                    )
                    or saves.replay_from <= chosen.unsaved[name]
                )
        assert next_input - saves.replay_from <= 50
