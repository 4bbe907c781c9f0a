"""Plans as they are stored, for tests that write something and find it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.store import Store


async def keep_plan(store: Store, plan_id: str, content: bytes) -> None:
    await store.transact(
        lambda c: c.execute("INSERT OR REPLACE INTO plans VALUES (?, ?)", (plan_id, content))
    )


async def plan_content(store: Store, plan_id: str) -> bytes | None:
    row = await store.read(
        lambda c: c.execute("SELECT content FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
    )
    return None if row is None else bytes(row[0])
