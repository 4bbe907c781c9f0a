"""What wakes which conditions: found by what happens, and not by asking each whether it is meant.

A shop may have a thousand campaigns, and an event should cost what the few cost that it can bring
somebody into. So conditions are indexed by what can change them, as a plan is made, and the many
that any activity can change (`idle`) are one group that all events share.
"""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING

from engine.core.collections import Collection, touched_by

if TYPE_CHECKING:
    from collections.abc import Collection as Sized
    from collections.abc import Iterable

    from engine.core.conditions.touches import Touches
    from engine.core.plan import Campaign

_RANK = attrgetter("rank")


class Group:
    """Campaigns, each once.

    Attributes:
        campaigns: In order of rank.
        ids: Theirs.
    """

    __slots__ = ("campaigns", "ids")

    def __init__(self, campaigns: Iterable[Campaign] = ()) -> None:
        by_id = {campaign.id: campaign for campaign in campaigns}
        self.campaigns = tuple(sorted(by_id.values(), key=_RANK))
        self.ids = frozenset(by_id)


NOBODY = Group()


class Wakes:
    """Conditions that something may change, time aside.

    Attributes:
        named: Campaigns that users come in by such a condition, those of `active` aside.
        active: Likewise, those that any activity may change, if it is one: shared by all events.
        raised: Of both, those whose condition it may make true; of the others it is asked only
            where that was true.
        inside: Ids of campaigns that ask a condition, which it may make true, of those who are in
            them.
        has_edges: Whether there is anybody in `named` or `active`.
    """

    __slots__ = ("active", "has_edges", "inside", "named", "raised")

    def __init__(
        self,
        *,
        named: Group = NOBODY,
        active: Group = NOBODY,
        raised: Group = NOBODY,
        inside: frozenset[str] = frozenset(),
    ) -> None:
        self.named = named
        self.active = active
        self.raised = raised
        self.inside = inside
        self.has_edges = bool(named.ids or active.ids)

    def __bool__(self) -> bool:
        """Whether there is anything that it may change."""
        return self.has_edges or bool(self.inside)

    def may_change(self, campaign_id: str) -> bool:
        """Whether it may change the condition by which users come into a campaign. O(1)."""
        return campaign_id in self.named.ids or campaign_id in self.active.ids


class Index:
    """All conditions of campaigns, by what can change them.

    Args:
        campaigns: Those of a plan.
        kept: Its collections, which events change.
    """

    def __init__(self, campaigns: Iterable[Campaign], kept: Iterable[Collection]) -> None:
        self._kept = list(kept)
        campaigns = list(campaigns)
        edges = [(c, c.entry.edge) for c in campaigns if c.entry.edge is not None]
        self._changed = _Changes((campaign, edge.touches) for campaign, edge in edges)
        self._raised = _Changes((campaign, edge.raised_by) for campaign, edge in edges)
        self._inside = _Changes((c, c.raised_by) for c in campaigns if c.raised_by is not None)
        self._active = Group(self._changed.activity)
        self.on_activity = Wakes(
            active=self._active,
            raised=Group(self._raised.activity),
            inside=Group(self._inside.activity).ids,
        )
        self.on_traits = self._wakes("traits")
        every = Group(campaign for campaign, _ in edges)
        inside = Group(c for c in campaigns if c.raised_by is not None).ids
        all_of_them = Wakes(named=every, raised=every, inside=inside)
        self.on_others = (self._wakes("scores"), self._wakes("sends"), all_of_them)
        """What a score wakes; a message that goes; two users who become one."""

    def on_event(self, name: str) -> Wakes:
        """What an event of that name wakes. O(what it does)."""
        gathered = touched_by(self._kept, name)
        changed = self._changed.by_event(name, gathered)
        inside = self._inside.by_event(name, gathered)
        if not changed and not inside:
            return self.on_activity
        raised = [*self._raised.activity, *self._raised.by_event(name, gathered)]
        return Wakes(
            named=Group(one for one in changed if one.id not in self._active.ids),
            active=self._active,
            raised=Group(raised),
            inside=Group([*self._inside.activity, *inside]).ids,
        )

    def events(self) -> set[str]:
        """Names of all events that a condition names."""
        return {*self._changed.events, *self._inside.events}

    def _wakes(self, by: str) -> Wakes:
        inside = Group(getattr(self._inside, by)).ids
        changed, raised = (Group(getattr(one, by)) for one in (self._changed, self._raised))
        return Wakes(named=changed, raised=raised, inside=inside)


class _Changes:
    """Campaigns by what can change a condition of theirs: an attribute for each of `Touches`."""

    def __init__(self, told: Iterable[tuple[Campaign, Touches]]) -> None:
        self.activity: list[Campaign] = []
        self.traits: list[Campaign] = []
        self.scores: list[Campaign] = []
        self.sends: list[Campaign] = []
        self.events: dict[str, list[Campaign]] = defaultdict(list)
        self._names: dict[str, list[Campaign]] = defaultdict(list)
        for campaign, touches in told:
            for by in ("activity", "traits", "scores", "sends"):
                if getattr(touches, by):
                    getattr(self, by).append(campaign)
            for name in touches.events:
                self.events[name].append(campaign)
            for name in touches.names:
                self._names[name].append(campaign)

    def by_event(self, name: str, gathered: Sized[str]) -> list[Campaign]:
        """Those that name the event, or a collection that it changes; some of them twice."""
        found = list(self.events.get(name, ()))
        for collection in gathered:
            found += self._names.get(collection, ())
        return found
