"""Which batches are one statement, and so their own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.core.effects import CloseMessage, CountTime, Record, ReviveMessage, SendMessage
from engine.store import Batch, Store
from engine.store.batch import KeptChange, Quarantined
from engine.store.writing import LOG_SWEPT_EVERY, is_one_statement
from tests.core.world import START
from tests.store.batches import EMPTY

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

SENT = SendMessage("m", START, "u", "c", "e", "s", "in_app", "t", msgspec.Raw(b"{}"))
MORE: dict[str, dict[str, Any]] = {
    "number": {"number": LOG_SWEPT_EVERY},
    "inputs": {"inputs": b"{}\n", "inputs_count": 1, "hashes": b"\0" * 8, "user_ids": {"u"}},
    "users": {"users": [("u", b"state")]},
    "states": {"states": [b"state"]},
    "messages": {"messages": [SENT]},
    "closed": {"closed": [CloseMessage("m")]},
    "records": {"records": [Record(START, "u", "c", "entered")]},
    "cancelled": {"cancelled": []},
    "quarantined": {"quarantined": [Quarantined(START, "/", "$", "why", b"{}")]},
    "replay_from": {"replay_from": 2, "log_from": 2},
    "changes": {"changes": [KeptChange(1, "p", b"{}", b"content")]},
    "settled": {"settled": 1},
    "bandits": {"bandits": b"counted"},
    "revived": {"revived": [ReviveMessage("m", "in_app", urgent=False)]},
    "times": {"times": [(0, CountTime("c", "e", "s"))]},
}
"""What a batch may hold, by field; several that go together under one of them."""

PLACES = {"at_ms", "first_input", "first_message"}
"""Fields that every batch has a number in, and that none is about."""


@pytest.mark.parametrize("field", MORE)
async def test_a_batch_that_is_written_without_a_transaction_is_one_statement(
    tmp_path: Path, field: str
) -> None:
    """Else a crash between two of them would leave half of it."""
    batch = msgspec.structs.replace(EMPTY, **MORE[field])
    store = await Store.open(tmp_path / "h.db")
    said: list[str] = []

    def listen(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(said.append)

    await store.read(listen)
    await store.commit(batch)
    await store.close()
    # A statement is told again for each of its trigger's.
    written = [*dict.fromkeys(one for one in said if one[:6] != "SELECT")]
    assert is_one_statement(batch) is (len(written) == 1)
    assert is_one_statement(batch) is (written[0] != "BEGIN IMMEDIATE")


def test_every_field_of_a_batch_is_asked_about() -> None:
    asked = {name for fields in MORE.values() for name in fields}
    assert asked | PLACES == {*Batch.__struct_fields__}
