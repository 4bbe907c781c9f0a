from __future__ import annotations

from collections import defaultdict
from random import Random  # noqa: TID251 - seeded
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.core.effects import Record
from engine.core.inputs import EventReceived, Input, TimeResumed, UserIdentified, encode_inputs
from engine.store import Store, archive, erasure, holdings, indexing
from tests.core.world import START
from tests.store.batches import EMPTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEEP = 1_000


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("SEGMENT_INPUTS", 150), ("SEGMENT_RECORDS", 150), ("SLICE_INPUTS", 60)):
        monkeypatch.setattr(indexing, name, count)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "hairspring.db", sync="normal", keep_ms=KEEP)
    yield opened
    await opened.close()


def happened(rng: Random, at_ms: int) -> Input:
    user_id = f"u{rng.randrange(200)}"
    said = msgspec.Raw(b'{"about":\n{"user_id":"u7"}}')  # as a client wrote it, line feed and all
    return rng.choice(
        (
            EventReceived(user_id, "Go", at_ms, at_ms, said, at_ms=at_ms),
            UserIdentified(user_id, at_ms, at_ms, said, at_ms=at_ms),
            TimeResumed(at_ms, 0, at_ms),
        )
    )


async def fill(
    store: Store, rng: Random, commits: int, first: int = 1, *, slices: float = 0.3
) -> list[Input]:
    """Commits of random inputs, one record an input, with slices of the archive between some."""
    inputs: list[Input] = []
    for number in range(commits):
        at_ms = START + number
        some = [happened(rng, at_ms) for _ in range(rng.randrange(1, 40))]
        batch = msgspec.structs.replace(
            EMPTY,
            number=number + 1,
            at_ms=at_ms,
            first_input=first + len(inputs),
            inputs_count=len(some),
            inputs=encode_inputs(some),
            user_ids={of(one) for one in some},
            records=[Record(at_ms, of(one), "c", "entered") for one in some if of(one)],
            replay_from=first + len(inputs),
        )
        await store.commit(batch)
        inputs += some
        if rng.random() < slices:
            await store.keep_archive(at_ms)
    return inputs


def of(one: Input) -> str:
    return getattr(one, "user_id", "")


def plain(one: Input) -> bytes:
    return msgspec.json.encode(one)


async def test_a_segment_is_written_after_many_rows_of_few_inputs_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up reads each row that no segment holds: under light load each has one input."""
    monkeypatch.setattr(indexing, "SEGMENT_INPUTS", 1_000_000)
    monkeypatch.setattr(indexing, "SEGMENT_ROWS", 40)
    while await store.keep_archive(START):
        pass
    await fill(store, Random(1), 100, slices=0)
    segments = await store.read(
        lambda c: c.execute(
            "SELECT count(DISTINCT first) FROM archive_index WHERE kind = 'journal'"
        ).fetchone()
    )
    assert segments == (2,)


@pytest.mark.parametrize("slices", [0.3, 0])
@pytest.mark.parametrize("seed", range(5))
async def test_the_index_finds_what_a_scan_finds_in_order_of_time(
    seed: int, slices: float, store: Store
) -> None:
    while await store.keep_archive(START):
        pass  # from here on commits note what they write
    inputs = await fill(store, Random(seed), 100, slices=slices)
    expected = defaultdict(list)
    for one in inputs:
        expected[of(one)].append(plain(one))
    rows = await store.read(lambda c: c.execute("SELECT count(*) FROM archive_index").fetchone())
    assert rows[0] > 0
    for user_id in (*(f"u{number}" for number in range(200)), "nobody"):
        found = [plain(one) async for one in holdings.inputs_of(store, user_id)]
        assert found == expected[user_id]
        records = [one async for one in holdings.records_of(store, user_id)]
        assert [one.user_id for one in records] == [user_id] * len(found)
        assert records == sorted(records, key=lambda one: one.at_ms)


async def test_a_look_up_reads_few_rows(store: Store) -> None:
    await fill(store, Random(1), 100)
    while await store.keep_archive(START):
        pass
    places, scanned_from = await store.read(lambda c: archive.places(c, "journal", "u3"))
    (newest,) = await store.read(
        lambda c: c.execute("SELECT max(first_input) FROM journal").fetchone()
    )
    assert len(places) < 20
    assert newest - scanned_from < 150


async def test_what_no_segment_holds_is_not_read_once_it_is_noted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "SEGMENT_INPUTS", 1_000_000)
    monkeypatch.setattr(indexing, "SEGMENT_RECORDS", 1_000_000)
    inputs = await fill(store, Random(1), 30, slices=0)
    _, first_input = await store.read(lambda c: store.indexing.places(c, "journal"))
    _, number = await store.read(lambda c: store.indexing.places(c, "records"))
    # From the last commit on: it is noted by the one after it.
    assert 0 < len(inputs) + 1 - first_input < 40
    records = await store.count("records")
    assert 0 < records + 1 - number < 40
    assert records > 200


async def test_rows_of_before_are_all_read_however_fast_commits_come(tmp_path: Path) -> None:
    """Slices of fewer inputs than a commit adds never saw the end, and look-ups read what lay
    between."""
    path = tmp_path / "hairspring.db"
    before = await Store.open(path, sync="normal", keep_ms=KEEP)
    inputs = await fill(before, Random(1), 30, slices=0)
    await before.close()
    store = await Store.open(path, sync="normal", keep_ms=KEEP)
    for _ in range(30):
        inputs += await fill(store, Random(2), 10, first=len(inputs) + 1, slices=0)
        await store.keep_archive(START)
    _, scanned_from = await store.read(lambda c: store.indexing.places(c, "journal", "u3"))
    assert len(inputs) - scanned_from < 40
    found = [plain(one) async for one in holdings.inputs_of(store, "u3")]
    assert found == [plain(one) for one in inputs if of(one) == "u3"]
    await store.close()


@pytest.mark.parametrize("seed", range(5))
async def test_everything_is_found_whatever_of_it_is_noted(seed: int, tmp_path: Path) -> None:
    draw, inputs = Random(seed), list[Input]()
    path = tmp_path / "hairspring.db"
    store = await Store.open(path, sync="normal", keep_ms=KEEP)
    for _ in range(60):
        match draw.randrange(6):
            case 0:
                await store.close()
                store = await Store.open(path, sync="normal", keep_ms=KEEP)
            case 1:
                store.indexing.forget()  # as where a commit is rolled back
            case 2:
                await store.keep_archive(START)
            case _:
                some = draw.randrange(1, 9)
                inputs += await fill(store, draw, some, first=len(inputs) + 1, slices=0)
        user_id = f"u{draw.randrange(200)}"
        found = [plain(one) async for one in holdings.inputs_of(store, user_id)]
        assert found == [plain(one) for one in inputs if of(one) == user_id]
        assert len([one async for one in holdings.records_of(store, user_id)]) == len(found)
    await store.close()


async def test_the_index_goes_with_the_rows(store: Store) -> None:
    inputs = await fill(store, Random(1), 100)
    now_ms = START + 100
    for later in (0, KEEP // 2, 2 * KEEP, 3 * KEEP, 4 * KEEP):
        while await store.keep_archive(now_ms + later):
            pass
        while await store.prune(now_ms + later):
            pass
    assert await store.count("records") == 0
    segments = await store.read(
        lambda c: c.execute(
            "SELECT kind, count(DISTINCT first) FROM archive_index GROUP BY kind"
        ).fetchall()
    )
    assert dict(segments) == {"journal": 1, "records": 1}
    # Who comes now is found all the same.
    await fill(store, Random(2), 20, first=len(inputs) + 1)
    users = await store.read(
        lambda c: c.execute("SELECT user_id, count(*) FROM records GROUP BY user_id").fetchall()
    )
    for user_id, count in users:
        found = [one async for one in holdings.records_of(store, user_id)]
        assert len(found) == count


async def test_an_erased_user_is_found_nowhere_and_the_others_where_they_were(store: Store) -> None:
    inputs = await fill(store, Random(3), 60)
    rows = erasure.Erasure("u7", forget=store.floors.forget)
    while await store.transact(rows.go_on):
        await store.keep_archive(START)  # slices of both come in turn
    assert rows.counts.inputs == rows.counts.records == sum(of(one) == "u7" for one in inputs)
    assert not await holdings.is_held(store, "u7")
    for user_id in ("u1", "u8", "u150"):
        found = [plain(one) async for one in holdings.inputs_of(store, user_id)]
        assert found == [plain(one) for one in inputs if of(one) == user_id]


async def records(store: Store, number: int, *user_ids: str, at_ms: int = START) -> None:
    """Commit a record of each, a millisecond apart."""
    entered = [Record(at_ms + n, one, "c", "entered") for n, one in enumerate(user_ids)]
    await store.commit(msgspec.structs.replace(EMPTY, number=number, records=entered))


async def test_a_record_never_gets_the_number_of_one_that_is_gone(store: Store) -> None:
    while await store.keep_archive(START):
        pass
    await records(store, 1, *["busy"] * 160)  # enough for a segment, which the next commit writes
    rows = erasure.Erasure("busy", forget=store.floors.forget)
    while await store.transact(rows.go_on):
        pass
    await records(store, 2, "late")
    await store.close()
    reopened = await Store.open(store.path, sync="normal", keep_ms=KEEP)
    await records(reopened, 3, "later")
    found = await reopened.read(
        lambda c: c.execute("SELECT number, user_id FROM records ORDER BY number").fetchall()
    )
    assert found == [(161, "late"), (162, "later")]
    for user_id in ("late", "later"):
        rows = erasure.Erasure(user_id, forget=store.floors.forget)
        while await reopened.transact(rows.go_on):
            pass
        assert rows.counts.records == 1
    await reopened.close()


async def test_a_segment_stays_as_long_as_it_has_rows(store: Store) -> None:
    """Where a busy user was erased, too, and what came later grows old bit by bit."""
    for number in range(1, 5):
        await records(store, number, *["busy"] * 161)
        while await store.keep_archive(START):
            pass
    rows = erasure.Erasure("busy", forget=store.floors.forget)
    while await store.transact(rows.go_on):
        pass
    users = [f"u{place}" for place in range(408)]
    for begin in range(0, 408, 102):
        await records(store, 5 + begin, *users[begin : begin + 102], at_ms=START + begin)
        while await store.keep_archive(START):
            pass
    for old in range(10, 400, 20):
        while await store.prune(START + old + KEEP):
            pass
        while await store.keep_archive(START):
            pass
        for user_id in users[old::7]:
            assert [one.user_id async for one in holdings.records_of(store, user_id)] == [user_id]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"userId": "ada"}', True),
        (b'{"batch": [{"anonymousId": "ada"}]}', True),
        (b'{"type": "alias", "previousId": "ada", "userId": "bob"}', True),
        (b'{"userId": "adam"}', False),
        (b'{"userId": "bob", "note": "ada wrote"}', False),
        (b'{"userId": "ada", "cut off', True),
        (b"no json, bob", False),
        (b'{"userId": "ada", "event": "\xff"}', True),
        (b'{"userId": "bob", "event": "\xff"}', False),
        (b'{"userId": "ada", "a": ' + b"[" * 500 + b"]" * 500 + b"}", True),
        (b'{"userId": "ada", "a": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", True),
        (b'{"userId": "bob", "a": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}", False),
        (b'{"userId": "bob", "a": ' + b"9" * 9_000 + b"}", False),
        (b"", False),
    ],
    ids=map(str, range(14)),
)
def test_a_quarantined_item_is_of_whom_it_names(body: bytes, named: bool) -> None:
    assert erasure.names(body, "ada") is named


def test_a_whole_number_names_the_user_it_is_the_id_of() -> None:
    assert erasure.names(b'{"user_id": 12345}', "12345")
    assert not erasure.names(b'{"user_id": true}', "True")


async def test_a_segment_that_was_not_written_is_gathered_again(store: Store) -> None:
    inputs = await fill(store, Random(4), 60)
    draw = Random(5)
    while await store.keep_archive(START):
        if draw.random() < 0.3:
            store.indexing.forget()  # as where a slice is rolled back
    for user_id in ("u1", "u8", "u150"):
        found = [plain(one) async for one in holdings.inputs_of(store, user_id)]
        assert found == [plain(one) for one in inputs if of(one) == user_id]
