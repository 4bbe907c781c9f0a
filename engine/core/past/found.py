"""What is found again of a user's past, for conditions that did not ask for it as it happened.

What the archive has of him is taken in anew, in the order in which it came and by the means by
which it would have been (`note`), on a user of whom nothing else is known. What that makes takes
the place of what he has of it (`put`): it goes as far back as the archive, and holds each event
once. What a state has from before the archive begins is added first (`add_older`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from engine.core import history
from engine.core.collections import Collected, collect
from engine.core.inputs import (
    DeliveryReported,
    EventImported,
    EventReceived,
    LetterRevived,
    MessageAnswered,
)
from engine.core.messages.answers import BY_PEOPLE
from engine.core.messages.caps import place_name
from engine.core.messages.sending import sent_as
from engine.core.messages.waiting import by_id
from engine.core.past import found_places, sessions
from engine.core.past.details import Details
from engine.core.people import scores
from engine.core.people.joining import join_collections, join_history, join_session
from engine.core.state import NEVER, Session, new_user

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.effects import Record
    from engine.core.history import Kept
    from engine.core.inputs import UserScored
    from engine.core.past.coming import Gap
    from engine.core.plan import Plan
    from engine.core.state import User


class Found(msgspec.Struct, omit_defaults=True):
    """What takes the place of what a state has under the same names."""

    history: dict[str, bytes] = {}
    details: dict[str, Details] = {}
    collections: dict[str, Collected] = {}
    scores: dict[str, float] = {}
    session: Session | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Found).decode
_encode_json = msgspec.json.Encoder().encode


def begin(gap: Gap, user: User, seen: int, last_seen_at_ms: int) -> None:
    """Go on from how `user` was saved where the archive begins, before anything is noted of him.

    Of his sessions is known when the last one before was active, if there was one; what he did up
    to the input `seen` is in that.
    """
    user.seen, user.last_seen_at_ms = seen, last_seen_at_ms
    if gap.sessions and last_seen_at_ms:
        ends_at_ms = last_seen_at_ms + gap.session_gap_ms
        user.session = Session(last_seen_at_ms, last_seen_at_ms, ends_at_ms)


def note(
    plan: Plan,
    gap: Gap,
    user: User,
    happened: EventReceived | UserScored | DeliveryReported | LetterRevived,
    number: int,
) -> None:
    """Have one more archived input in what is found of `user`, made by `new_user` for it.

    `plan` is the widened one; inputs come in the order of their numbers. O(kept).
    """
    if isinstance(happened, DeliveryReported):
        found_places.note_ended(user, happened)
        return
    if isinstance(happened, LetterRevived):
        found_places.note_revived(user, happened)
        return
    if not isinstance(happened, EventReceived):
        scores.note(user, happened, gap.models)
        return
    made: tuple[tuple[EventReceived, Session | None], ...] = ()
    is_noticed = happened.passive or (
        isinstance(happened, MessageAnswered) and happened.answer not in BY_PEOPLE
    )
    is_live = not is_noticed and not isinstance(happened, EventImported)  # these make no sessions
    if gap.sessions and is_live and number > user.seen:
        end_session(plan, gap, user, happened.at_ms)
        made = sessions.follow(user, happened, gap.session_gap_ms)
    if not is_noticed:
        user.last_seen_at_ms = max(user.last_seen_at_ms, happened.occurred_at_ms)
    _keep(plan, gap, user, happened)
    for event, session in made:
        user.session = session or user.session
        _keep(plan, gap, user, event)


def join(plan: Plan, _gap: Gap, user: User, *, other: User) -> None:
    """Have what was found of somebody who was merged into `user` in what is found of him."""
    was_first = not (user.last_seen_at_ms and other.last_seen_at_ms)
    user.session = join_session(user.session, other.session, was_first=was_first)
    user.last_seen_at_ms = max(user.last_seen_at_ms, other.last_seen_at_ms)
    join_history(plan, user, other, user.last_seen_at_ms)
    join_collections(plan, user, other)
    user.scores = {**other.scores, **user.scores}
    user.pending = {**by_id(other.pending), **by_id(user.pending)} or ()


def end_session(plan: Plan, gap: Gap, user: User, now_ms: int) -> None:
    """Time passes: where what is found of `user` has a session whose gap is over, it ends."""
    session = user.session
    if session is not None and not session.ended and session.ends_at_ms <= now_ms:
        _keep(plan, gap, user, sessions.end(user))


def note_sent(plan: Plan, gap: Gap, user: User, sent: Record, upto_ms: int) -> None:
    """Have one more message that went out in what is found of `user`. O(kept).

    Nothing where it went out behind `upto_ms`: of those the user knows himself.
    """
    at_ms = sent.judged_at_ms or sent.at_ms
    if at_ms > upto_ms:
        return
    if sent.channel in gap.places:
        found_places.note_taken(user, sent, at_ms)
    for what in sent_as(sent.channel, sent.campaign):
        if what in gap.sends:
            name = history.sent_name(what)
            history.insert(user, name, at_ms, plan.kept_sends[what], at_ms)


def add_own_sends(
    plan: Plan, gap: Gap, found: User, user: User, *, begins_at_ms: int, upto_ms: int
) -> None:
    """Add to what the records have what only `user` knows. O(kept).

    That is what went out before the oldest record, and behind `upto_ms`, as the plan was announced;
    at that very instant either may know of more.
    """
    found_places.put_places(plan, gap, found, user)
    names = {history.sent_name(what): plan.kept_sends[what] for what in gap.sends}
    names |= {place_name(channel): plan.kept_places[channel] for channel in gap.places}
    for name, kept in names.items():
        known = [*history.instants_of(found.history.get(name, b""))].count(upto_ms)
        for at_ms in history.instants_of(user.history.get(name, b"")):
            if at_ms == upto_ms and known:
                known -= 1
            elif at_ms < begins_at_ms or at_ms >= upto_ms:
                history.insert(found, name, at_ms, kept, at_ms)
        _keep_total(found, user, name)


def _keep(plan: Plan, gap: Gap, user: User, happened: EventReceived) -> None:
    reactions = plan.reactions(happened.name)
    if reactions is None:
        return
    roles = [role for role in reactions.gathers if role.collection.name in gap.collections]
    if roles:
        collect(user, happened, tuple(roles))
    if reactions.kept is not None and happened.name in gap.names:
        history.insert(
            user, reactions.name, happened.occurred_at_ms, reactions.kept, happened.at_ms,
            happened.properties,
        )  # fmt: skip


def add_older(
    kept: Mapping[str, Kept], gap: Gap, found: User, user: User, before_ms: int, now_ms: int
) -> None:
    """Add to what was found what `user` has from before the archive begins. O(kept).

    What is in both is known by its instant, of which there may be several. A collection is what
    all its events make, so that one that is there stays. So does a session.
    """
    for name, packed in user.history.items():
        if name in gap.session_events:
            _keep_own_sessions(name, packed, found, user)
        elif name in found.history and name in kept:
            _add_older(kept[name], name, packed, found, user, before_ms, now_ms)
    found.collections = {
        name: one for name, one in found.collections.items() if name not in user.collections
    }
    if found.session is not None:
        # What he did before the archive begins is not known: better none is his first than two are.
        found.session.first = False
    if gap.sessions_kept:
        found.session = None


def add_emitted(kept: Mapping[str, Kept], gap: Gap, found: User, user: User, now_ms: int) -> None:
    """Add to what was found what campaigns have made, of which only `user` knows. O(kept)."""
    for name in sorted(gap.emitted & found.history.keys() & user.history.keys() & kept.keys()):
        _add_older(kept[name], name, user.history[name], found, user, NEVER, now_ms)


def encode_found(found: User, user: User) -> bytes:
    """What was found, to be journaled; b"" where it is what the user has already. O(found)."""
    encoded = _encode(_alike(found, found))
    return b"" if encoded == _encode(_alike(user, found)) else encoded


def put(plan: Plan, user: User, encoded: bytes) -> None:
    """Have it in the place of what the user has of it. Total: nothing for other bytes. O(found)."""
    try:
        found = _decode(encoded)
    except msgspec.MsgspecError:
        return
    for name, packed in found.history.items():
        reactions = plan.reactions(name)
        shared = name if reactions is None else reactions.name
        user.history = {**user.history, shared: packed}
        details = {key: one for key, one in user.details.items() if key != name}
        if name in found.details:
            details[shared] = found.details[name]
        user.details = details or new_user("").details
    if found.collections:
        user.collections = {**user.collections, **found.collections}
    if found.scores:
        user.scores = {**user.scores, **found.scores}
    if found.session is not None:
        user.session = found.session


def _alike(user: User, found: User) -> Found:
    """What a state has of what was found, in the same order."""
    return Found(
        {name: user.history[name] for name in found.history if name in user.history},
        {name: user.details[name] for name in found.history if name in user.details},
        {name: user.collections[name] for name in found.collections if name in user.collections},
        {model: user.scores[model] for model in found.scores if model in user.scores},
        user.session if found.session is not None else None,
    )


def _keep_own_sessions(name: str, packed: bytes, found: User, user: User) -> None:
    """Behind the first that the user knows of there is none that he does not know.

    What is found of the one that was under way as the archive begins, begins there.
    """
    if name in found.history and packed:
        first_at_ms = history.instants_of(packed)[0]
        instants = history.instants_of(found.history[name])
        older = [at_ms for at_ms in instants if at_ms < first_at_ms]
        found.history[name] = history.pack_instants(older) + packed
        _keep_total(found, user, name)


def _keep_total(found: User, user: User, name: str) -> None:
    had, has = user.details.get(name), found.details.get(name)
    if had is not None and has is not None:
        has.total = max(has.total, had.total)


def _add_older(
    kept: Kept, name: str, packed: bytes, found: User, user: User, before_ms: int, now_ms: int
) -> None:
    instants = history.instants_of(packed)
    known = Counter(at_ms for at_ms in history.instants_of(found.history[name]))
    had = user.details.get(name)
    for place, at_ms in enumerate(instants):
        if at_ms >= before_ms:
            break
        if known[at_ms]:
            known[at_ms] -= 1
            continue
        properties = {} if had is None else had.properties(place)
        history.insert(found, name, at_ms, kept, now_ms, _encode_json(properties))
    has = found.details.get(name)
    if had is None or has is None:
        return
    has.total = max(has.total, had.total)
    if had.first and kept.first and had.first_at_ms < has.first_at_ms:
        has.first_at_ms, has.first = had.first_at_ms, had.first
