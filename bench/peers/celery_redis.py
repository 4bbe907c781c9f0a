"""Celery with Redis: a task with an `eta` each, two worker processes, settings as they come."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from celery import Celery

from bench.peers import job

FOLDER = os.environ["PEER_FOLDER"]

app = Celery("peer", broker=job.plan(FOLDER)["redis"])
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True
run = app.task(job.run, name="run")


def main() -> None:
    """Schedule, unless that was done, and become the worker."""
    if not job.is_scheduled(FOLDER):
        with app.producer_pool.acquire(block=True) as producer:
            for name, due_at_ms in job.delays(FOLDER):
                eta = datetime.fromtimestamp(due_at_ms / 1_000, UTC)
                run.apply_async((FOLDER, name, due_at_ms), eta=eta, producer=producer)
        job.mark_scheduled(FOLDER)
    worker = ["-A", "bench.peers.celery_redis", "worker", "-c", "2", "-l", "WARNING"]
    os.execv(sys.executable, [sys.executable, "-m", "celery", *worker])


if __name__ == "__main__":
    main()
