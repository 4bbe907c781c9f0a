"""DBOS on SQLite: a workflow each, which sleeps durably and then takes one step."""

from __future__ import annotations

import asyncio
import os
import time

from dbos import DBOS

from bench.peers import job

FOLDER = os.environ["PEER_FOLDER"]


async def _run(name: str, due_at_ms: int) -> None:
    job.run(FOLDER, name, due_at_ms)


step = DBOS.step(name="run")(_run)


async def _wait(name: str, due_at_ms: int) -> None:
    await DBOS.sleep_async(max(0.0, due_at_ms / 1_000 - time.time()))
    await step(name, due_at_ms)


workflow = DBOS.workflow(name="wait")(_wait)


async def _work() -> None:
    DBOS.launch()
    if not job.is_scheduled(FOLDER):
        for name, due_at_ms in job.delays(FOLDER):
            await DBOS.start_workflow_async(workflow, name, due_at_ms)
        job.mark_scheduled(FOLDER)
    await asyncio.Event().wait()


def main() -> None:
    """Schedule, unless that was done, and work."""
    DBOS(
        config={
            "name": "peer",
            "system_database_url": f"sqlite:///{FOLDER}/dbos.db",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    asyncio.run(_work())


if __name__ == "__main__":
    main()
