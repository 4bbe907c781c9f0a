"""What two users have done becomes what one has: events, collections, a session.

Each is as it would be had one user done it all, in whatever order it came: instants in order with
what is kept beside them, the changes of each item in order behind the newer of the two clears. What
is bounded stays so, and the oldest go. At one instant what the merged one did stands first.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.collections import MOVES_MAX, Collected, Item, bound, clear, quantity_of
from engine.core.history import HELD_MAX, instants_of, pack_instants
from engine.core.past.details import Details

if TYPE_CHECKING:
    from engine.core.collections import Collection
    from engine.core.history import Kept
    from engine.core.plan import Plan
    from engine.core.state import Session, User


def join_history(plan: Plan, user: User, other: User, now_ms: int) -> None:
    """Have what `other` did among what `user` did. O(n log n) of what is kept of both."""
    for name in other.history:
        _join_events(user, other, name, plan.kept_of(name), now_ms)


def _join_events(user: User, other: User, name: str, kept: Kept | None, now_ms: int) -> None:
    theirs, own = (instants_of(one.history.get(name, b"")) for one in (other, user))
    instants = [*theirs, *own]
    order = sorted(range(len(instants)), key=instants.__getitem__)
    instants.sort()
    details = _join_details(other.details.get(name), user.details.get(name), len(theirs), order)
    gone = 0
    if kept is not None:
        is_held = user.held_until_ms > now_ms  # then what they are judged by stays (`history`)
        gone = max(0, len(instants) - (max(kept.most, HELD_MAX) if is_held else kept.most))
        if kept.window_ms is not None and not is_held:
            gone = max(gone, bisect_left(instants, now_ms - kept.window_ms, 0, len(instants) - 1))
    if details is not None:
        gone = max(gone, details.excess(len(instants)))
        details.trim(gone)
        user.details = {**user.details, name: details}
    user.history = {**user.history, name: pack_instants(instants[gone:])}


def _join_details(
    theirs: Details | None, own: Details | None, count: int, order: list[int]
) -> Details | None:
    """What is kept of both besides the instants; the first `count` of `order` are theirs."""
    if theirs is None and own is None:
        return None
    theirs = theirs or Details(total=count)
    own = own or Details(total=len(order) - count)
    sides = ((theirs, count), (own, len(order) - count))
    first = min((one for one in (own, theirs) if one.first), key=_began, default=own)
    joined = Details(theirs.total + own.total, {}, [], first.first_at_ms, first.first)
    if theirs.rows or own.rows:
        rows = [row for one, size in sides for row in one.as_rows(size)]
        joined.rows = [rows[place] for place in order]
    else:
        for name in sorted(theirs.columns.keys() | own.columns.keys()):
            values = [value for one, size in sides for value in one.as_column(name, size)]
            joined.columns[name] = [values[place] for place in order]
    joined.weigh(len(order))
    return joined


def _began(details: Details) -> int:
    return details.first_at_ms


def join_collections(plan: Plan, user: User, other: User) -> None:
    """Have what both have gathered in one. O(items) of both."""
    gathered = dict(user.collections)
    for name, theirs in other.collections.items():
        own, collection = gathered.get(name), plan.collections.get(name)
        if own is None or collection is None:
            gathered.setdefault(name, theirs)
        else:
            gathered[name] = _join_collected(collection, own, theirs)
    if gathered:
        user.collections = gathered


def _join_collected(collection: Collection, own: Collected, theirs: Collected) -> Collected:
    cleared_at_ms = max(own.cleared_at_ms, theirs.cleared_at_ms)
    for one in (own, theirs):
        if one.cleared_at_ms < cleared_at_ms:
            clear(one, cleared_at_ms)
    items = {item.key: item for item in own.items}
    for item in theirs.items:
        known = items.get(item.key)
        items[item.key] = item if known is None else _join_item(item, known)
    in_order = sorted(items.values(), key=lambda item: item.added_at_ms)
    changed_at_ms = max(own.changed_at_ms, theirs.changed_at_ms)
    joined = Collected(changed_at_ms, cleared_at_ms, tuple(in_order))
    bound(collection, joined)
    return joined


def _join_item(theirs: Item, own: Item) -> Item:
    """One item of both: its changes in order, and what was said of it last."""
    newer = theirs if theirs.added_at_ms > own.added_at_ms else own
    pairs: list[Any] = [
        pair for one in (theirs, own) for pair in zip(one.moves[::2], one.moves[1::2], strict=True)
    ]
    pairs.sort(key=lambda pair: pair[0])
    while len(pairs) > MOVES_MAX:
        (_, first), (at_ms, second) = pairs[:2]
        pairs[:2] = [(at_ms, quantity_of((0, first, at_ms, second)))]
    moves = tuple(value for pair in pairs for value in pair)
    return msgspec.structs.replace(newer, moves=moves)


def join_session(own: Session | None, theirs: Session | None, *, was_first: bool) -> Session | None:
    """Two that are under way are one, the first where both were; else the later stays.

    `was_first`: whether one of the two users has never done anything. Else what the one did may lie
    before the session of the other, which is the first of both no more.
    """
    if own is None or theirs is None:
        later = own or theirs
        if later is not None:
            later.first = later.first and was_first
        return later
    if own.ended != theirs.ended:
        later = theirs if own.ended else own
    else:
        later = theirs if theirs.ends_at_ms > own.ends_at_ms else own
    if not own.ended and not theirs.ended:
        later.started_at_ms = min(own.started_at_ms, theirs.started_at_ms)
        later.first = own.first and theirs.first
    else:
        later.first = later.first and was_first
    return later
