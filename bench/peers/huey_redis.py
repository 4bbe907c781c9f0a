"""Huey with Redis: a task with an `eta` each, four worker threads, settings as they come."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from huey import RedisHuey

from bench.peers import job

FOLDER = os.environ["PEER_FOLDER"]

huey = RedisHuey("peer", url=job.plan(FOLDER)["redis"])
run = huey.task(name="run")(job.run)


def main() -> None:
    """Schedule, unless that was done, and work."""
    if not job.is_scheduled(FOLDER):
        for name, due_at_ms in job.delays(FOLDER):
            eta = datetime.fromtimestamp(due_at_ms / 1_000, UTC)
            run.schedule((FOLDER, name, due_at_ms), eta=eta)
        job.mark_scheduled(FOLDER)
    huey.create_consumer(workers=4).run()


if __name__ == "__main__":
    main()
