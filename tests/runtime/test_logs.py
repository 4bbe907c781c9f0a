from __future__ import annotations

from structlog.testing import capture_logs

from engine.runtime.logs import now_and_then

SECOND_NS = 1_000_000_000


def test_long_work_says_where_it_is_every_two_seconds_from_the_second_one_on() -> None:
    at = [0]
    with capture_logs() as lines:
        told = now_and_then("database.migrating", lambda: at[0])
        for tenth in range(45):
            at[0] = tenth * SECOND_NS // 10
            told(f"row {tenth}")
    assert [(line["event"], line["at"], line["seconds"]) for line in lines] == [
        ("database.migrating", "row 20", 2),
        ("database.migrating", "row 40", 4),
    ]
