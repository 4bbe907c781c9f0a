"""A database that is audited, and changed behind the engine's back."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from engine.sim.auditing import Audit, audit
from engine.store import Store
from tests.sim.lives import KEEP_MS

if TYPE_CHECKING:
    from pathlib import Path


async def audited(path: Path) -> Audit:
    store = await Store.open(path, sync="normal", keep_ms=KEEP_MS)
    try:
        return await audit(store, lambda _done, _total: None)
    finally:
        await store.close()


async def told(path: Path) -> str:
    return "\n".join(
        f"{one.part} {one.subject} {one.told}" for one in (await audited(path)).findings
    )


def change(path: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute(statement, values).rowcount > 0, "nothing was changed"
    connection.commit()
    connection.close()


def one(path: Path, query: str, *values: Any) -> Any:
    connection = sqlite3.connect(path)
    row = connection.execute(query, values).fetchone()
    connection.close()
    return row
