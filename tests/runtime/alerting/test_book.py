from __future__ import annotations

import msgspec

from engine.runtime.alerting.book import SETTLED_MS, Book, Cause, Notice

HOUR = 3_600_000
DISK = Cause("disk", "", "full", "make room")


def of(*campaigns: str) -> list[Cause]:
    return [Cause("silent", campaign, "silent", "look") for campaign in campaigns]


def look(book: Book, causes: list[Cause], at_ms: int, **more) -> list[tuple[str, str]]:
    told = book.look(causes, at_ms, **{"again_ms": HOUR, "per_hour": 5} | more)
    return [(notice.what, notice.cause.key) for notice in told]


def test_a_cause_is_told_once_and_once_more_when_it_is_over():
    book = Book()
    assert look(book, [DISK], 1) == [("raised", "disk")]
    assert look(book, [DISK], 2) == []
    assert look(book, [], 3) == []
    assert look(book, [], 3 + SETTLED_MS) == [("recovered", "disk")]
    assert look(book, [], 4 + 2 * SETTLED_MS) == []


def test_what_blinks_is_one_alert():
    book = Book()
    assert look(book, [DISK], 0) == [("raised", "disk")]
    told = [look(book, [DISK] * (at % 2), at * SETTLED_MS // 2) for at in range(1, 40)]
    assert [one for one in told if one] == []


def test_one_that_comes_back_within_the_time_is_told_when_that_is_past():
    book = Book()
    look(book, [DISK], 0)
    look(book, [], 1)
    over = 1 + SETTLED_MS
    assert look(book, [], over) == [("recovered", "disk")]
    assert look(book, [DISK], over + 1) == []
    assert look(book, [DISK], over + HOUR) == [("raised", "disk")]


def test_one_that_was_gone_before_it_could_be_told_is_not_told_at_all():
    book = Book()
    assert look(book, of("a", "b"), 0, per_hour=1) == [("raised", "silent:a")]
    assert look(book, of("a"), 1, per_hour=1) == []
    assert list(book.open) == ["silent:a"]


def test_no_more_new_ones_in_an_hour_than_so_many_and_none_is_lost():
    book, campaigns = Book(), [f"c{number}" for number in range(7)]
    told = [key for _, key in look(book, of(*campaigns), 0)]
    told += [key for _, key in look(book, of(*campaigns), HOUR - 1)]
    assert told == [f"silent:c{number}" for number in range(5)]
    assert look(book, of(*campaigns), HOUR) == [("raised", "silent:c5"), ("raised", "silent:c6")]


def test_what_nobody_can_tell_yet_stays_open():
    book = Book()
    look(book, [DISK], 0)
    assert look(book, [], 1, unsure=["disk"]) == []
    assert look(book, [], 2 + SETTLED_MS, unsure=["disk"]) == []
    assert look(book, [], 3 + SETTLED_MS) == []
    assert look(book, [], 4 + 2 * SETTLED_MS) == [("recovered", "disk")]


def test_a_book_that_was_kept_tells_nothing_twice():
    book = Book()
    (raised,) = book.look([DISK], 5, again_ms=HOUR, per_hour=5)
    again = msgspec.json.decode(msgspec.json.encode(book), type=Book)
    assert again == book
    assert look(again, [DISK], 6) == []
    again.look([], 7, again_ms=HOUR, per_hour=5)
    (recovered,) = again.look([], 7 + SETTLED_MS, again_ms=HOUR, per_hour=5)
    alert, _, what = recovered.id.partition("-")
    assert (alert, what) == (raised.id.partition("-")[0], "recovered")
    assert recovered == Notice(recovered.id, "recovered", DISK, 7 + SETTLED_MS, 5)


def test_a_clock_that_was_set_back_holds_nothing_up():
    book = Book()
    look(book, [DISK], 10 * HOUR)
    assert look(book, [], HOUR) == []
    assert look(book, [], HOUR + SETTLED_MS) == [("recovered", "disk")]
    assert look(book, [DISK], 2) == [("raised", "disk")]
