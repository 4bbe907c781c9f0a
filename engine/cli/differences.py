"""What would come of a changed shop, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.runtime.admin.diffing import CampaignDiff, PastAsked, ShopDiff

_MARKS = {"added": "+", "removed": "-", "changed": "~", "same": " "}


def lines_of(told: ShopDiff) -> Iterator[str]:
    """What is printed: `+`, `-` and `~` stand before what is added, removed and changed."""
    if not told.changed:
        yield f"nothing differs from the shop in force, as of {told.at}"
    else:
        yield f"as of {told.at}, {told.users:,} users known"
    for kind in ("added", "removed", "changed"):
        for path in getattr(told.files, kind):
            yield f"{_MARKS[kind]} {path}"
    for campaign in told.campaigns:
        lines = list(_of_campaign(campaign))
        if lines or campaign.change != "same":
            yield f"{_MARKS[campaign.change]} campaign {campaign.campaign}{_status(campaign)}"
            yield from (f"    {line}" for line in lines)
    if told.past is not None:
        yield from _past(told.past)
    if told.restart_needed:
        yield f"only a restart takes on: {', '.join(told.restart_needed)}"
    yield from (f"warning: {warning}" for warning in told.warnings)


def _status(campaign: CampaignDiff) -> str:
    before, then = campaign.status
    if before is None or then is None or before == then:
        return "" if (then or before) == "live" else f", {then or before}"
    return f", {before} -> {then}"


def _of_campaign(campaign: CampaignDiff) -> Iterator[str]:
    if campaign.inside:
        yield f"inside: {campaign.inside:,}, waiting in {_counts(campaign.waiting)}"
    yield from _of_leavers(campaign)
    if campaign.moved:
        yield f"deadlines that move: {campaign.moved:,}"
        for move in campaign.moves:
            before, then = move.before or "none", move.then or "none"
            yield f"  {move.user_id} in {move.step}: {before} -> {then}"
    if campaign.entered:
        yield f"come in at once: {campaign.entered:,}"
    if campaign.refused:
        yield f"would come in, and may not: {_counts(campaign.refused)}"
    if campaign.sent:
        yield f"messages that go at once: {campaign.sent:,}"
    if campaign.skipped:
        yield f"messages that do not go: {_counts(campaign.skipped)}"
    if campaign.taken_back:
        yield f"messages taken back from the outbox: {campaign.taken_back:,}"


def _of_leavers(campaign: CampaignDiff) -> Iterator[str]:
    if campaign.exits:
        yield f"leave: {_counts(campaign.exits)}"
        for one in campaign.leavers:
            yield f"  {one.user_id} in {one.step}: {one.reason}"
    if campaign.gone:
        yield f"waited in steps that are gone: {_counts(campaign.gone)}"


def _past(asked: PastAsked) -> Iterator[str]:
    yield "conditions ask for a past that was not kept; a reload finds it in the archive first:"
    for what in ("events", "collections", "models", "messages"):
        names = getattr(asked, what)
        if names:
            yield f"  {what}: {', '.join(names)}"
    if asked.sessions:
        yield "  sessions"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
