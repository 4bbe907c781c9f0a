"""When a split, or a holdout, is told to be decided."""

from __future__ import annotations

from config import load_shop
from engine.core.reports.results import HOLDOUT
from engine.core.reports.tallies import Key
from engine.runtime.alerting.book import SETTLED_MS, Book
from engine.runtime.alerting.experiments import decided_in

CAMPAIGN = """campaign: c
enter: {event: Go}
holdout: 20%
steps:
  - split: {name: copy, variants: {a: {weight: 1, steps: []}, b: {weight: 1, steps: []}}}
    id: way
"""
GOAL = "goal: {event: Bought}\n"
HOUR = 3_600_000


def live(text: str = CAMPAIGN + GOAL):
    return load_shop({"hairspring.toml": "", "campaigns/c.yaml": text}).plan.campaigns["c"]


def counted(a: int, b: int, held_out: int = 200) -> dict[Key, float]:
    """A thousand came by each way, and a thousand were held out; so many reached the goal."""
    return {
        Key("entered"): 2_000,
        Key("entered", reason=HOLDOUT): 1_000,
        Key("branched", step="way", variant="a"): 1_000,
        Key("branched", step="way", variant="b"): 1_000,
        Key("goal", variant="a"): a,
        Key("goal", variant="b"): b,
        Key("goal", reason=HOLDOUT): held_out,
    }


def told(counts: dict[Key, float], book: Book, at_ms: int = 0, text: str = CAMPAIGN + GOAL):
    causes = decided_in(live(text), counts, book.known)
    notices = book.look(causes, at_ms, again_ms=HOUR, per_hour=9)
    return [(notice.what, notice.cause.key, notice.cause.text) for notice in notices]


def test_a_split_is_told_once_it_has_a_winner_and_not_before():
    book = Book()
    assert told(counted(200, 215), book) == []
    (notice,) = told(counted(150, 300), book)
    what, key, text = notice
    assert (what, key) == ("raised", "decided:c/copy")
    assert text.startswith("c, copy: b is better than a: by 15.0 (")


def test_what_was_decided_stays_so_however_its_numbers_move():
    book = Book()
    assert len(told(counted(150, 300), book)) == 1
    for at_ms in range(1, 4):
        assert told(counted(300, 300, held_out=300), book, at_ms * SETTLED_MS) == []
    assert len(book.open) == 1


def test_it_is_over_when_the_split_is_taken_out():
    book = Book()
    told(counted(150, 300), book)
    without = "campaign: c\nenter: {event: Go}\nsteps: [{exit: done, id: done}]\n" + GOAL
    assert told(counted(150, 300), book, 1, without) == []
    ((what, key, _),) = told(counted(150, 300), book, 1 + SETTLED_MS, without)
    assert (what, key) == ("recovered", "decided:c/copy")


def test_a_holdout_tells_that_the_campaign_works_or_harms():
    for held_out, verdict in ((50, "c: it works: 15.0 ("), (350, "c: it harms: 15.0 (")):
        ((what, key, text),) = told(counted(200, 200, held_out), Book())
        assert (what, key) == ("raised", "decided:c")
        assert text.startswith(verdict)


def test_without_a_goal_nothing_is_decided():
    assert told(counted(150, 300), Book(), text=CAMPAIGN) == []
