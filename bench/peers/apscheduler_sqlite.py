"""APScheduler 3 on SQLite, in WAL mode, which has to be set by hand; late jobs are not dropped."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from apscheduler.events import EVENT_SCHEDULER_START
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.blocking import BlockingScheduler
from sqlalchemy import create_engine, event

from bench.peers import job

FOLDER = os.environ["PEER_FOLDER"]


def _use_wal(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def main() -> None:
    """Schedule, unless that was done, and work."""
    engine = create_engine(f"sqlite:///{FOLDER}/jobs.db")
    event.listen(engine, "connect", _use_wal)
    scheduler = BlockingScheduler(
        jobstores={"default": SQLAlchemyJobStore(engine=engine)},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
    if not job.is_scheduled(FOLDER):
        for name, due_at_ms in job.delays(FOLDER):
            due = datetime.fromtimestamp(due_at_ms / 1_000, UTC)
            scheduler.add_job(job.run, "date", run_date=due, args=(FOLDER, name, due_at_ms))
        # Jobs are stored as it starts.
        scheduler.add_listener(lambda _: job.mark_scheduled(FOLDER), EVENT_SCHEDULER_START)
    scheduler.start()


if __name__ == "__main__":
    main()
