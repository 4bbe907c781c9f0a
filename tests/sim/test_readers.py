from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.inputs import EventReceived
from engine.sim import sources
from engine.sim.ndjson import LINE_BYTES_MAX, read_ndjson
from engine.sim.reading import BAD_SHOWN_MAX, Reading
from engine.sim.sources import EventsUnreadable, open_events

if TYPE_CHECKING:
    from pathlib import Path

LINE = b'{"user_id":"u1","event":"Seen","timestamp":%d}'


def read_file(path: Path, **columns: str) -> tuple[list[Any], Reading]:
    reading = Reading(path.name)
    with open_events(str(path)) as source:
        return list(source.inputs(reading, columns)), reading


def table(tmp_path: Path, text: str, **columns: str) -> tuple[list[Any], Reading]:
    path = tmp_path / "events.csv"
    path.write_text(text, newline="", encoding="utf-8")
    return read_file(path, **columns)


def test_lines_may_end_and_begin_as_files_of_all_systems_do() -> None:
    text = b"\xef\xbb\xbf" + LINE % 1 + b"\r\n\n  \n" + LINE % 2
    assert [h.received_at_ms for h in read_ndjson(io.BytesIO(text), Reading("x"))] == [1, 2]


def test_lines_across_blocks_are_whole_and_numbered() -> None:
    filler = b'{"user_id":"u1","event":"Seen","timestamp":%d,"properties":{"a":"' + b"x" * 999
    lines = [filler % number + b'"}}' for number in range(900)]
    lines[700] = b"nonsense"
    reading = Reading("x")
    happened = list(read_ndjson(io.BytesIO(b"\n".join(lines)), reading))
    assert [h.received_at_ms for h in happened] == [*range(700), *range(701, 900)]
    assert [bad.place for bad in reading.shown] == ["x:701"]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_without_end_is_one_bad_line_and_is_not_kept(end: bytes) -> None:
    text = LINE % 1 + b"\n" + b"x" * (3 * LINE_BYTES_MAX) + end + (LINE % 3 if end else b"")
    reading = Reading("x")
    happened = list(read_ndjson(io.BytesIO(text), reading))
    assert [h.received_at_ms for h in happened] == ([1, 3] if end else [1])
    assert [bad.text[:23] for bad in reading.shown] == ["x:2: over 1048576 bytes"]


def test_bad_lines_are_counted_and_the_first_are_shown() -> None:
    reading = Reading("x")
    assert list(read_ndjson(io.BytesIO(b"?\n" * 25), reading)) == []
    assert (reading.bad, len(reading.shown), reading.events) == (25, BAD_SHOWN_MAX, 0)


def test_gzip_is_known_by_its_first_bytes_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(LINE % 1) + gzip.compress(b"\n" + LINE % 2))
    happened, reading = read_file(path)
    assert [h.received_at_ms for h in happened] == [1, 2]
    assert reading.events == 2


def test_a_gzip_file_that_was_cut_short_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(LINE % 1)[:-9])
    with pytest.raises(EventsUnreadable, match=r"events\.ndjson\.gz is no whole gzip file"):
        read_file(path)


def test_a_damaged_gzip_file_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    data = bytearray(gzip.compress(LINE % 1))
    data[12] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(EventsUnreadable, match="no whole gzip file"):
        read_file(path)


def test_a_gzip_file_of_which_only_the_header_is_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(LINE % 1)[:10])
    refused = pytest.raises(EventsUnreadable, match="its label is no whole gzip file")
    with open_events(str(path)) as source, refused:
        source.is_journal("its label")


def test_a_file_that_is_not_there_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(EventsUnreadable, match=r"none\.ndjson cannot be opened: No such file"):
        read_file(tmp_path / "none.ndjson")


def test_a_folder_is_no_file_of_events(tmp_path: Path) -> None:
    with pytest.raises(EventsUnreadable, match="cannot be opened: Is a directory"):
        read_file(tmp_path)


def test_standard_input_is_read_where_the_path_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "piped"
    path.write_bytes(gzip.compress(LINE % 7))
    with path.open("rb") as file:
        monkeypatch.setattr(sources.sys, "stdin", io.TextIOWrapper(file))
        with open_events("-") as source:
            happened = list(source.inputs(Reading("stdin"), {}))
            assert source.size_bytes is None
            assert source.position_bytes() == 0
    assert [h.received_at_ms for h in happened] == [7]


def test_a_source_tells_how_far_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join([LINE % 1] * 10))
    with open_events(str(path)) as source:
        assert source.size_bytes == path.stat().st_size
        assert len(list(source.inputs(Reading("x"), {}))) == 10
        assert source.position_bytes() == source.size_bytes


# Tables


def test_columns_that_are_no_field_become_properties(tmp_path: Path) -> None:
    happened, _ = table(
        tmp_path,
        "user_id,event,timestamp,price,count,sku,code,note,nothing\n"
        'u1,Seen,1970-01-01 00:00:01,12.50,-3,012,1234567890123456,"a ""b"",\nc",\n',
    )
    assert [(h.user_id, h.name, h.occurred_at_ms) for h in happened] == [("u1", "Seen", 1_000)]
    assert json.loads(bytes(happened[0].properties)) == {
        "price": 12.5,
        "count": -3,
        "sku": "012",
        "code": "1234567890123456",
        "note": 'a "b",\nc',
    }


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0", 0),
        ("-0.5", -0.5),
        ("1e3", 1_000.0),
        ("123456789012345", 123_456_789_012_345),
        ("1e999", "1e999"),
        ("+1", "+1"),
        (".5", ".5"),
        ("1.", "1."),
        ("0x10", "0x10"),
        ("NaN", "NaN"),
        ("true", "true"),
        ("\u0661", "\u0661"),
        ("1 000", "1 000"),
    ],
)
def test_what_is_a_json_number_becomes_one(tmp_path: Path, cell: str, value: float | str) -> None:
    happened, _ = table(tmp_path, f"user_id,event,timestamp,x\nu1,Seen,5,{cell}\n")
    assert json.loads(bytes(happened[0].properties)) == {"x": value}


def test_a_map_says_which_column_holds_what(tmp_path: Path) -> None:
    happened, _ = table(
        tmp_path,
        "who,action,at,arrived,event,user_id\nu1,Seen,5000,7000,x,y\n",
        user_id="who",
        event="action",
        timestamp="at",
        received_at="arrived",
    )
    assert isinstance(happened[0], EventReceived)
    assert (happened[0].user_id, happened[0].name) == ("u1", "Seen")
    assert (happened[0].occurred_at_ms, happened[0].received_at_ms) == (5_000, 7_000)
    assert json.loads(bytes(happened[0].properties)) == {"event": "x", "user_id": "y"}


def test_a_message_id_and_times_are_taken_from_columns_of_those_names(tmp_path: Path) -> None:
    happened, _ = table(
        tmp_path,
        "user_id,event,timestamp,message_id,sent_at,received_at\nu1,Seen,5000,m1,6000,7000\n",
    )
    assert (happened[0].message_id, happened[0].occurred_at_ms) == ("m1", 6_000)
    assert happened[0].received_at_ms == 7_000


def test_bad_rows_are_told_by_their_line_and_the_rest_is_read(tmp_path: Path) -> None:
    happened, reading = table(
        tmp_path,
        "user_id,event,timestamp,note\n"
        'u1,Seen,1,"two\nlines"\n'
        ",Seen,2,\n"
        "u1,Seen,3\n"
        "u1,Seen,4,a,b\n"
        "\n"
        "u1,Seen,never,\n"
        'u1,Seen,6,"a"b\n'
        "u1,Seen,7,ok\n",
    )
    assert [h.received_at_ms for h in happened] == [1, 7]
    assert [bad.text.split(";")[0] for bad in reading.shown] == [
        "events.csv:4: $.user_id: missing",
        "events.csv:5: has 3 cells, the header has 4",
        "events.csv:6: has 5 cells, the header has 4",
        "events.csv:8: $.timestamp: 'never' is no instant",
        "events.csv:9: no CSV: ',' expected after '\"'",
    ]


def test_a_cell_that_is_not_utf8_spoils_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(
        b"\xef\xbb\xbfuser_id,event,timestamp,note\n"
        b"u1,Seen,1,caf\xe9\nu\xe9,Seen,2,x\nu\xc3\xa9,Seen,3,caf\xc3\xa9\n"
    )
    happened, reading = read_file(path)
    assert [(h.user_id, json.loads(bytes(h.properties))) for h in happened] == [
        ("ué", {"note": "café"})
    ]
    assert [bad.text.split(";")[0] for bad in reading.shown] == [
        "events.csv:2: is not UTF-8",
        "events.csv:3: is not UTF-8",
    ]


@pytest.mark.parametrize(
    ("text", "columns", "told"),
    [
        ("a,b,c\n", {}, "there is no column 'user_id' for user_id"),
        ("user_id,event,timestamp\n", {"event": "action"}, "there is no column 'action' for event"),
        ("user_id,event,timestamp\n", {"sent_at": "x"}, "there is no column 'x' for sent_at"),
        ("user_id,event,event,timestamp\n", {}, "the header names a column twice"),
        ('"user_id"x,event\n', {}, "no CSV"),
    ],
)
def test_a_table_without_its_columns_is_not_run(
    tmp_path: Path, text: str, columns: dict[str, str], told: str
) -> None:
    with pytest.raises(EventsUnreadable, match=told):
        table(tmp_path, text, **columns)


def test_an_empty_table_holds_no_event(tmp_path: Path) -> None:
    assert table(tmp_path, "")[0] == []
    assert table(tmp_path, "user_id,event,timestamp\n")[0] == []
