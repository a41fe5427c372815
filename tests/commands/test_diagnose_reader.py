"""What `diagnose` reads: whatever a file holds, it neither fails nor hangs, and uses what can be used."""

import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import Turn, cut, lines, request, spans, whole, write

from autogen_streamtrace.commands.diagnose.findings import diagnose
from autogen_streamtrace.commands.reading import files, frames
from autogen_streamtrace.commands.reading.otlp_json import parse
from autogen_streamtrace.commands.reading.pieces import PIECE, InputError, _lines, _Source, pieces
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher, builtin

pytestmark = pytest.mark.once

TURNS = [Turn(), cut(60.0, intermediary="nginx"), Turn(at=5.0)]
ATTRIBUTION = LimitMatcher(builtin())


def outcomes(streams: files.Streams) -> list[str]:
    return sorted(streams.table["outcome"].cast(pl.String()).to_list())


def test_every_column_of_a_span_is_read(tmp_path: Path) -> None:
    streams = files.read([write(tmp_path / "spans.jsonl", TURNS)])
    row = streams.table.filter(pl.col("early") & pl.col("origin")).row(0, named=True)
    assert row["layer"] == sc.HTTP and row["name"] == "models.example" and row["service"] == "desk"
    assert row["outcome"] == sc.DISCONNECTED and row["cause"] == "httpx2.RemoteProtocolError"
    assert row["silence"] == 60.0 and row["status"] == 200 and row["intermediary"] == "nginx"
    assert (row["end"] - row["start"]) / 1e9 == pytest.approx(67.2)
    assert f"{row['trace_high']:016x}{row['trace_low']:016x}" == f"{2:032x}"


def test_a_compressed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain = Path(write(tmp_path / "spans.jsonl", TURNS))
    packed = tmp_path / "spans.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert outcomes(files.read([str(packed)])) == outcomes(files.read([str(plain)]))


def test_standard_input_is_read(tmp_path: Path) -> None:
    text = "\n".join(lines(TURNS)).encode()
    code = "from autogen_streamtrace.commands.reading import files; print(files.read(['-']).table.height)"
    ran = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, timeout=50, check=True)
    assert ran.stdout.strip() == b"9"


def test_a_stream_that_was_exported_twice_counts_once(tmp_path: Path) -> None:
    source = write(tmp_path / "spans.jsonl", TURNS)
    assert files.read([source, source]).table.height == 9


def test_corrupt_lines_are_counted_and_named_and_the_rest_is_used(tmp_path: Path) -> None:
    good = next(lines(TURNS))
    source = tmp_path / "spans.jsonl"
    source.write_text(f"{good}\n{good[:200]}\n\n[]\n{{}}\n" + '{"resourceSpans": 7}\n', encoding="utf-8")
    streams = files.read([str(source)])
    assert streams.table.height == 9 and streams.bad == 4
    assert [told.split(":")[1] for told in streams.told] == ["2", "4", "5", "6"]
    assert all(told.startswith(str(source)) for told in streams.told)


def test_a_torn_archive_gives_what_is_before_the_tear(tmp_path: Path) -> None:
    packed = gzip.compress("".join(f"{line}\n" for line in lines(whole(3000, random.Random(1)))).encode())
    source = tmp_path / "torn.gz"
    source.write_bytes(packed[: len(packed) // 2])
    streams = files.read([str(source)])
    assert streams.table.height > 0
    assert streams.bad >= 1 and "cannot be read further" in streams.told[-1]


def test_spans_of_others_are_counted_and_left_out(tmp_path: Path) -> None:
    source = tmp_path / "spans.jsonl"
    source.write_text(request(list(spans(Turn(), 0))).replace(f'"{sc.SCOPE}"', '"httpx"'), encoding="utf-8")
    streams = files.read([str(source)])
    assert streams.table.height == 0 and streams.others == 3 and streams.bad == 0


def test_a_value_of_the_wrong_type_reads_as_absent() -> None:
    line = request(list(spans(cut(60.0), 0))).replace('{"doubleValue":60.0}', '{"stringValue":"long"}')
    table = frames.frame(parse(line.encode()).rows)
    assert table["silence"].null_count() == 3 and table["outcome"].null_count() == 0


def test_a_line_without_end_is_left_out_and_what_follows_is_read() -> None:
    found = list(_lines(_Source(io.BytesIO(b"x" * 3 * PIECE + b"\ngood\n")), limit=PIECE - 1))
    assert [piece.problem for piece in found] == ["a line longer than 7 MB was left out", ""]
    assert found[-1].data == b"good\n"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: No such file"):
        list(pieces(str(tmp_path / "absent")))


def test_pieces_parsed_in_other_processes_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "spans.jsonl", whole(400, random.Random(1)))
    alone = files.read([source])
    monkeypatch.setattr(files, "SMALL", 0)
    monkeypatch.setattr(files, "_cores", lambda: 2)
    together = files.read([source])
    assert together.table.height == 1200 and outcomes(together) == outcomes(alone)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def partial_json(value: Any, data: st.DataObject) -> Any:
    """The value with something in it replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: partial_json(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], partial_json(value[at], data), *value[at + 1 :]]
    return data.draw(json_values)


def use(data: bytes) -> None:
    """All that happens to a file's bytes, up to the findings."""
    rows = []
    for piece in _lines(_Source(io.BytesIO(data)), limit=10_000):
        rows += parse(piece.data).rows
    diagnose(frames.whole([frames.frame(rows)], {}), ATTRIBUTION)


@settings(max_examples=150)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    use(data)


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_no_archive_makes_the_reader_fail(data: bytes) -> None:
    use(b"\x1f\x8b" + data)


@settings(max_examples=200)
@given(st.data())
def test_no_export_with_anything_in_it_makes_the_reader_fail(data: st.DataObject) -> None:
    export = json.loads(request([*spans(cut(60.0), 0), *spans(Turn(), 1)]))
    for _ in range(data.draw(st.integers(1, 4))):
        export = partial_json(export, data)
    try:
        line = orjson.dumps(export)
    except (TypeError, orjson.JSONEncodeError):
        line = json.dumps(export).encode()
    use(line + b"\n")


@settings(max_examples=60)
@given(st.data())
def test_no_cut_of_a_file_makes_the_reader_fail(data: st.DataObject) -> None:
    text = "\n".join(lines(TURNS)).encode()
    first = data.draw(st.integers(0, len(text)))
    use(text[first : data.draw(st.integers(first, len(text)))])
