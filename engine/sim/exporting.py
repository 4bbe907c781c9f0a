"""What `hairspring export-journal` does, without a terminal: a database to lines of JSON."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from config import ContentInvalid, ShopInvalid, decode_content, load_shop
from engine.core.effects import Record
from engine.core.inputs import PlanChanged, decode_inputs
from engine.core.state import encode_user
from engine.runtime.restart import bring_back
from engine.runtime.versions import versions
from engine.sim.exported import (
    FORM,
    ChangeLine,
    End,
    FloorLine,
    Head,
    InputLine,
    JournalUnreadable,
    PlanLine,
    RecordLine,
    StateLine,
    encode_lines,
)
from engine.store import journal, plans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from config import Shop
    from engine.runtime.processor import Processor
    from engine.store import Recovered, Store

_decode_record = msgspec.json.Decoder(Record).decode


async def export(
    store: Store,
    write: Callable[[bytes], object],
    on_progress: Callable[[int, int], None],
    start: journal.Beginning | None = None,
) -> End:
    """Write everything that a run took in, and what came of it. O(size), users in memory.

    Args:
        store: Open; nothing else writes it.
        write: Takes lines.
        on_progress: Told how many inputs were written, of how many.
        start: Where to begin; None: as early as the archive goes.

    Returns how many lines of each there were. Raises JournalUnreadable where there is no journal,
    or its newest plan cannot be read by this version; StoreError.
    """
    recovered = await store.recover(0, 0)
    shop = newest_shop(recovered)
    start = start or await beginning_of(store, shop, recovered)
    if start is None:
        raise JournalUnreadable(
            f"{store.path} holds no journal that can be run from its beginning",
            hint="wait until the process has made states to begin with, some minutes at most",
        )
    head = Head(FORM, *versions(), recovered.last_at_ms, start.exact_from_ms, shop.plan.id)
    contents = [
        PlanLine(plan_id, msgspec.Raw(content)) for plan_id, content in recovered.contents.items()
    ]
    write(encode_lines([head, *contents]))
    await _write_beginning(store, start, write)
    inputs = 0
    async for lines in _inputs(store, start.from_input):
        write(encode_lines(lines))
        inputs += len(lines)
        on_progress(inputs, recovered.next_input - start.from_input)
    records = 0
    async for told in _records(store, start.exact_from_ms):
        write(encode_lines(told))
        records += len(told)
    processor, more = _at_the_end(shop, recovered)
    # No refusal is kept as a record, and none of these would have been.
    last = [one for one in more if one.kind != "refused" and one.at_ms >= start.exact_from_ms]
    late = [RecordLine(one) for one in last]
    write(encode_lines(late))
    users = processor.users.values()
    for user in users:
        write(encode_lines([StateLine(user.user_id, encode_user(user))]))
    end = End(inputs, records + len(late), len(users))
    write(encode_lines([end]))
    return end


async def beginning_of(store: Store, shop: Shop, recovered: Recovered) -> journal.Beginning | None:
    """Where the archive begins, as long as this shop keeps it; None where it has no beginning."""
    events = shop.settings.events
    before_ms = recovered.last_at_ms - max(events.keep_ms, events.dedupe_window_ms)
    return await store.read(partial(journal.beginning, before_ms=before_ms))


def newest_shop(recovered: Recovered) -> Shop:
    """The shop that is in force. Raises JournalUnreadable where there is none that can be read."""
    brought = [
        one.plan_id
        for _, one in (*recovered.changes, *recovered.tail)
        if isinstance(one, PlanChanged)
    ]
    if not brought:
        raise JournalUnreadable("nothing has been taken in yet", hint="serve the shop first")
    try:
        return load_shop(decode_content(recovered.contents[brought[-1]]))
    except (KeyError, ShopInvalid, ContentInvalid) as error:
        raise JournalUnreadable(
            f"the plan in force cannot be read by this version: {error}",
            hint="export with the version that ran it",
        ) from error


def _at_the_end(shop: Shop, recovered: Recovered) -> tuple[Processor, list[Record]]:
    """Everybody as the run left him, with what was due by then and was not committed yet."""
    processor, _ = bring_back(shop, recovered)
    return processor, come_to_rest(processor, recovered.last_at_ms)


def come_to_rest(processor: Processor, at_ms: int) -> list[Record]:
    """Have everybody take on what he lacks, and everything happen that is due by an instant.

    In this order: a changed plan may make a deadline due sooner.
    """
    while processor.sweep():
        pass
    processor.advance(at_ms)
    batch = processor.begin(at_ms)
    return [] if batch is None else processor.finish(batch).records


async def _write_beginning(
    store: Store, start: journal.Beginning, write: Callable[[bytes], object]
) -> None:
    if start.generation is None:
        return
    led = partial(plans.between, before=start.from_input, settled=start.settled)
    write(encode_lines([ChangeLine(number, one) for number, one in await store.read(led)]))
    after = ""
    while floors := await store.read(
        partial(journal.floors, generation=start.generation, after=after)
    ):
        write(encode_lines([FloorLine(state) for _, state in floors]))
        after = floors[-1][0]


async def _inputs(store: Store, from_input: int) -> AsyncIterator[list[InputLine]]:
    after = await store.read(partial(journal.row_of, number=from_input)) - 1
    while rows := await store.read(partial(journal.inputs, after=after)):
        yield [
            InputLine(number, happened)
            for first, lines in rows
            for number, happened in enumerate(decode_inputs(lines), start=first)
            if number >= from_input
        ]
        after = rows[-1][0]


async def _records(store: Store, from_ms: int) -> AsyncIterator[list[RecordLine]]:
    after = 0
    while rows := await store.read(partial(journal.records, after=after)):
        told = [_decode_record(record) for _, record in rows]
        yield [RecordLine(one) for one in told if one.at_ms >= from_ms]
        after = rows[-1][0]
