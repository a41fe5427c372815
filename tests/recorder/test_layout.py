"""What stands in a row is read back as it was, whatever it is and whatever becomes of the rows beside it."""

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.stream.state import Ending, StreamInfo, StreamLabels, StreamState
from autogen_streamtrace.recorder import layout
from autogen_streamtrace.recorder.layout.attributes import packed, unpacked
from autogen_streamtrace.recorder.rows.image import Marks

pytestmark = pytest.mark.once

ROWS = 4
JUDGED = layout.Judged(
    9,
    10,
    {sc.A_OUTCOME: sc.REJECTED, sc.A_CHUNKS: 3, sc.A_SILENCE: 0.5, sc.GEN_AI_FINISH_REASONS: ("abort",)},
    {sc.A_NAME: "_OTHER"},
    {sc.A_CAUSE_TYPE: "_OTHER"},
)

texts = st.text(st.characters(codec=None))
"""Also with the characters that stand between two texts, and with halves of surrogate pairs."""
values = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    texts,
    st.lists(texts).map(tuple),
    st.lists(st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False))).map(tuple),
)


@given(st.dictionaries(st.sampled_from([sc.A_OUTCOME, sc.A_CHUNKS, sc.GEN_AI_RESPONSE_ID, "tenant", "é"]), values))
def test_attributes_are_read_back_with_their_types_and_in_their_order(attributes: dict[str, Any]) -> None:
    found = unpacked(packed(attributes))
    assert repr(found) == repr(attributes)


@functools.cache
def written() -> bytes:
    """A file whose rows are open, ended, judged and retired."""
    file = bytearray(layout.row_at(ROWS))
    for slot in range(ROWS):
        state = StreamState(StreamInfo(sc.MODEL, "m", span_name="chat m"), None, 0)
        state.labels = StreamLabels({sc.A_LAYER: "model", sc.A_NAME: "m"})
        put(file, layout.birth(state, slot + 1, 0, layout.Ids(1, 2, 3, True)), layout.row_at(slot))
        if slot == 1:
            put(file, layout.ended(slot + 1, state, Ending("closed", 2.0, cause=causes.CLOSED)), layout.end_at(slot))
        if slot > 1:
            put(file, layout.judged(slot + 1, JUDGED), layout.end_at(slot))
    put(file, *Marks(layout.RETIRED_AT).put([ROWS - 1], lambda slot: slot + 1, 7))
    put(file, *Marks(layout.TOLD_AT).put([2, 3], lambda slot: slot + 1, 1))
    return bytes(file)


@pytest.mark.parametrize("framework", ["", "autogen"])
def test_a_birth_says_what_was_known_of_a_stream_before_its_first_read(framework: str) -> None:
    asked: tuple[tuple[str, Any], ...] = (("gen_ai.request.seed", 3), ("tenant", "a"))
    info = StreamInfo(sc.MODEL, "m", span_name="chat m", attributes=asked, streamed=False, framework=framework)
    state = StreamState(info, None, 0)
    state.labels = StreamLabels({sc.A_LAYER: "model", sc.A_NAME: "m"})
    file = bytearray(layout.row_at(1))
    put(file, layout.birth(state, 7, 5, layout.Ids(1, 2, 3, True)), layout.row_at(0))
    row = layout.read_row(bytes(file), 0)
    assert row is not None
    assert (row.serial, row.parent, row.ids) == (7, 5, layout.Ids(1, 2, 3, True))
    assert (row.state.info, row.state.labels.started) == (info, state.labels.started)


def put(file: bytearray, data: bytes, at: int) -> None:
    file[at : at + len(data)] = data


def told(file: bytes, slot: int) -> tuple[Any, ...]:
    row = layout.read_row(file, slot)
    assert row is not None
    return row.serial, row.state.name, row.ending, row.judged, row.retired_in, row.told


def test_a_row_says_how_far_its_stream_has_come() -> None:
    ending = Ending("closed", 2.0, cause=causes.CLOSED)
    assert [told(written(), slot) for slot in range(ROWS)] == [
        (1, "m", None, None, 0, False),
        (2, "m", ending, None, 0, False),
        (3, "m", None, JUDGED, 0, True),
        (4, "m", None, JUDGED, 7, True),
    ]


def test_a_mark_of_a_stream_that_had_the_row_before_says_nothing() -> None:
    file = bytearray(written())
    put(file, *Marks(layout.RETIRED_AT).put([0], lambda slot: 99, 7))
    assert told(bytes(file), 0)[4] == 0


@given(st.integers(0, ROWS - 1), st.integers(0, layout.ROW_SIZE - 1), st.binary(min_size=1, max_size=64))
def test_damage_in_a_row_is_found_or_does_no_harm_and_the_others_are_whole(slot: int, at: int, noise: bytes) -> None:
    hurt = bytearray(written())
    put(hurt, noise[: layout.ROW_SIZE - at], layout.row_at(slot) + at)
    file = bytes(hurt)
    for each in range(ROWS):
        if each != slot:
            assert told(file, each) == told(written(), each)
            continue
        try:
            row = layout.read_row(file, each)
        except (layout.Unreadable, ValueError):
            continue
        assert row is None or (row.serial, row.state.name) == (slot + 1, "m")


@given(st.integers(0, layout.row_at(ROWS)))
def test_a_file_cut_anywhere_shows_whole_rows_only(size: int) -> None:
    file = written()[:size]
    for slot in range(ROWS):
        if size >= layout.row_at(slot + 1):
            assert told(file, slot)[:2] == (slot + 1, "m")
            continue
        try:
            row = layout.read_row(file, slot)
        except (layout.Unreadable, ValueError):
            continue
        assert row is None or row.serial == slot + 1
