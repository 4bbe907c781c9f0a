"""What would come of a changed campaign, were it taken on now: of whom is inside, of whom comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.server.dashboard import words
from engine.server.dashboard.frame import card, table
from engine.server.dashboard.markup import tag

if TYPE_CHECKING:
    from engine.server.dashboard.markup import Content, Html


def told(campaign_id: str, diff: dict[str, Any]) -> Html:
    """The part of a `ShopDiff`, as JSON has it, that is about one campaign."""
    of_it = [one for one in diff["campaigns"] if one["campaign"] == campaign_id]
    title = "If it were taken on now"
    if not of_it or not diff["changed"]:
        return card(title, tag("p", "Nothing changes: this is what is in force.", class_="empty"))
    (one,) = of_it
    counted = [
        ("come in at once (backfill)", one["entered"]),
        *((f"would, and may not: {why}", count) for why, count in one["refused"].items()),
        *((f"leave: {why}", count) for why, count in one["exits"].items()),
        ("deadlines move", one["moved"]),
        ("messages go at once", one["sent"]),
        *((f"messages do not: {why}", count) for why, count in one["skipped"].items()),
        ("messages are taken back", one["taken_back"]),
        *((f"wait in {step}", count) for step, count in one["waiting"].items()),
    ]
    rows: list[list[Content]] = [[what, words.count(count)] for what, count in counted if count]
    people = f"{words.count(one['inside'])} of {words.count(diff['users'])} users are inside."
    return card(title, tag("p", people), table("Taken on", ["What", "How many#"], rows,
                                               empty="It means nothing to anybody."))  # fmt: skip
