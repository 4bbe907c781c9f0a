"""Which experiments are decided: each is told once, however its numbers move from then on.

That a look is taken every minute makes no winner: the intervals that decide hold for all looks
together (`engine.core.stats.sequences`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.reports.results import held_out, variant_arms
from engine.core.stats.comparing import decided, decided_lift
from engine.runtime.alerting.book import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from engine.core.plan import Campaign
    from engine.core.reports.tallies import Key

DECIDED: Final = "decided"

_HINT: Final = "leave what lost out of the campaign: hairspring report {} has the numbers"
_HINT_LIFT: Final = "hairspring report {} has the numbers"


def decided_in(
    campaign: Campaign, counts: Mapping[Key, float], known: Callable[[str], Cause | None]
) -> Iterator[Cause]:
    """Each split of a live campaign that is decided, and its holdout. O(keys * variants).

    Args:
        campaign: With a goal, or nothing can be decided.
        counts: All that was counted of it.
        known: What is open of a key: what was decided stays so, for as long as it runs.
    """
    if campaign.goal is None:
        return
    name = campaign.id
    for split in campaign.splits:
        about = f"{name}/{split.name}"
        cause = known(f"{DECIDED}:{about}")
        if cause is None and (verdict := decided(variant_arms(counts, split))):
            cause = Cause(DECIDED, about, f"{name}, {split.name}: {verdict}", _HINT.format(name))
        if cause is not None:
            yield cause
    cause = known(f"{DECIDED}:{name}")
    if cause is None and (verdict := decided_lift(*held_out(counts))):
        cause = Cause(DECIDED, name, f"{name}: {verdict}", _HINT_LIFT.format(name))
    if cause is not None:
        yield cause
