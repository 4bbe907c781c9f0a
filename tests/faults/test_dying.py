"""`kill -9` at every named point: what the next start finds is what was acknowledged, once."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.acceptance.conftest import run
from tests.faults.life import ask, until

pytestmark = [pytest.mark.acceptance, pytest.mark.crash]

ALL = os.environ.get("HAIRSPRING_FAULTS") == "all"
"""`make soak` dies at every place, `make check` at some."""

IN_USE = (
    "before-commit",
    "in-commit",
    "after-commit",
    "before-release",
    "before-hand-over",
    "after-hand-over",
    "before-outcome",
)
"""Points that a process comes to again and again while it takes orders."""

NOW_AND_THEN = ("in-pruning", "in-archive")
"""Points that it comes to after some ten commits."""

SCHEMA_1 = Path(__file__).parents[1] / "store" / "stored" / "schema-1.sql.gz"


async def test_at_each_point_once_in_one_life_nothing_is_lost_or_doubled(life):
    points = [f"{point}={times}" for times, point in enumerate(IN_USE, start=2)]
    points += [f"{point}=1" for point in NOW_AND_THEN]
    life.start(points[0])
    life.live(range(120), *points[1:])
    life.come_to_rest()
    await life.holds()
    assert life.deaths == len(points)


@pytest.mark.skipif(not ALL, reason="make soak dies at each point apart")
@pytest.mark.parametrize("times", [1, 2, 3, 5, 8, 13, 21])
@pytest.mark.parametrize("point", IN_USE)
async def test_at_one_point_nothing_is_lost_or_doubled(life, point: str, times: int):
    life.start(f"{point}={times}")
    life.live(range(24))
    life.come_to_rest()
    await life.holds()
    assert life.deaths == 1


async def test_while_it_starts_and_while_it_drains_nothing_is_lost_or_doubled(life):
    life.start("in-drain=1")
    life.live(range(4))
    life.serving.process.send_signal(signal.SIGTERM)
    life.dies()
    life.dies_at_start("in-recovery=1")
    life.dies_at_start("after-recovery=1")
    life.start()
    life.live(range(4, 8))
    life.come_to_rest()
    await life.holds()
    assert life.deaths == 3


async def test_a_code_that_was_given_before_the_death_is_the_one_that_the_mail_tells(life):
    (life.shop / "coupons").mkdir()
    (life.shop / "coupons/thanks.txt").write_text("".join(f"T-{n}\n" for n in range(9)))
    receipt = life.shop / "templates/receipt.email.liquid"
    receipt.write_text(receipt.read_text() + "{{ coupons.thanks }}\n")
    life.start("after-coupons=1")
    life.live(range(3))
    life.come_to_rest()
    with sqlite3.connect(life.data / "hairspring.db") as database:
        held = dict(database.execute("SELECT holder, code FROM coupons WHERE is_taken"))
    told = {
        mail["To"].partition("@")[0]: mail.get_content().split()[-1]
        for mail in life._mailbox.mails
        if "receipt" in mail["Subject"]
    }
    assert told == held
    assert sorted(held.values()) == ["T-0", "T-1", "T-2"]
    assert life.deaths == 1


async def test_in_a_change_of_the_shop_the_change_is_made_by_the_next_start(life):
    life.start("in-plan-change=2")  # the first start puts a plan into force, too
    life.live(range(3))
    receipt = life.shop / "campaigns/receipt.yaml"
    receipt.write_text(receipt.read_text() + "priority: 7\n")
    life.serving.process.send_signal(signal.SIGHUP)
    until(lambda: not life.is_alive())
    life.start()
    life.live(range(3, 6))
    life.come_to_rest()
    await life.holds()
    assert life.deaths == 1


OFTEN = """
campaign: often
enter: {when: 'count("Order Completed", "1d") >= 3'}
steps: [{exit: done}]
"""


@pytest.mark.parametrize("times", [1, 2] if ALL else [2])
async def test_while_the_past_is_found_for_a_condition_the_next_start_finds_it(life, times: int):
    life.start(f"in-finding={times}")
    life.live(range(6))  # of five users, the first orders twice
    (life.shop / "campaigns/often.yaml").write_text(OFTEN)
    life.serving.process.send_signal(signal.SIGHUP)
    until(lambda: not life.is_alive())
    life.start()
    until(lambda: changes(life.data) == ["plan", "announced", "announced", "plan"])
    life.live(range(6, 12))
    life.come_to_rest()
    await life.holds()
    assert life.deaths == 1
    with sqlite3.connect(life.data / "hairspring.db") as database:
        entered = database.execute(
            "SELECT user_id FROM records WHERE campaign = 'often' AND "
            "instr(record, CAST('\"entered\"' AS BLOB))"
        ).fetchall()
    database.close()
    assert sorted(entered) == [("u0",), ("u1",)]


def changes(data: Path) -> list[str]:
    """What became of the plan so far, as a reader sees it while the process runs."""
    with sqlite3.connect(f"file:{data / 'hairspring.db'}?mode=ro", uri=True) as database:
        lines = database.execute("SELECT input FROM changes ORDER BY number").fetchall()
    database.close()
    return [json.loads(line)["type"] for (line,) in lines if b'"resumed"' not in line]


@pytest.mark.parametrize("times", range(1, 12) if ALL else [5])
async def test_in_an_erasure_the_next_start_ends_it(life, times: int):
    life.start(f"in-erasure={times}")
    life.live(range(6))
    until(life.all_arrived)
    key = (life.data / "admin.key").read_text().strip()
    admin = {"Authorization": f"Bearer {key}"}
    status, _ = ask(life.serving.admin_url, "DELETE", "/api/users/u1", headers=admin)
    assert status == 0
    life.dies()
    life.start()
    status, _ = ask(life.serving.admin_url, "GET", "/api/users/u1/export", headers=admin)
    assert status == 404
    life.live(range(7, 8))
    life.come_to_rest()
    assert life.deaths == 1
    needle = b"u1@example.com"
    assert [path.name for path in life.data.iterdir() if needle in path.read_bytes()] == []


async def test_in_a_backup_there_is_none_and_in_a_restoration_the_next_start_ends_it(
    life, tmp_path: Path
):
    backup = tmp_path / "backup.db"
    life.start("in-backup=1")
    life.live(range(4))
    until(life.all_arrived)
    done = run("backup", backup, "--data", life.data)
    assert done.returncode == 1
    assert "error: " in done.stderr
    life.dies()
    assert not backup.exists()
    life.start()
    assert run("backup", backup, "--data", life.data).returncode == 0
    assert not backup.with_name(".backup.db.part").exists()

    life.live(range(4, 6))
    until(life.all_arrived)
    life.serving.kill()
    armed = {"HAIRSPRING_FAILPOINTS": "in-restore=1"}
    assert run("restore", backup, "--data", life.data, env=armed).returncode == -signal.SIGKILL
    life.start()
    life.orders = list(range(4))  # the others were placed after the backup
    life.come_to_rest()
    await life.holds(elsewhere={"o4", "o5"})


def test_in_a_migration_the_next_start_makes_it(life):
    life.data.mkdir()
    connection = sqlite3.connect(life.data / "hairspring.db")
    connection.executescript(gzip.decompress(SCHEMA_1.read_bytes()).decode())
    connection.close()
    life.dies_at_start("in-migration=1", "--accept-clock")
    life.start("", "--accept-clock")
    life.live(range(2))
    life.come_to_rest()
