"""Bodies of the three formats, changed and cut in every way: what is read of them."""

import json
import re
from typing import Any, Final

from any_bodies import CUTS, ENCODINGS, FORMATS, REASONS, bodies
from hypothesis import assume, example, given
from hypothesis import strategies as st
from wire_replies import (
    ERROR,
    NOTHING,
    SAYINGS,
    End,
    end,
    ended,
    packed,
    pieces,
    told,
)

from autogen_streamtrace.core.evidence.body.partial_json import beginning, ending
from autogen_streamtrace.core.evidence.body.wire import HEAD, KEPT, TAIL, read

TEXTS: Final = st.sampled_from(SAYINGS) | st.text(max_size=30) | st.integers(0, 3000).map(lambda size: "x" * size)


@st.composite
def replies(draw: st.DrawFn) -> tuple[bytes, End]:
    """A stream of some format, whole or without its end, and how it ends."""
    form = FORMATS[draw(st.sampled_from(sorted(FORMATS)))]
    text = form.start + b"".join(map(form.text, draw(st.lists(TEXTS, max_size=60))))
    if draw(st.booleans()):
        return text, NOTHING
    reason = draw(REASONS)
    return text + form.finish(reason) + form.after, (True, reason)


@given(replies(), ENCODINGS, CUTS)
def test_a_reply_is_read_alike_in_any_reads_and_encoding(reply: tuple[bytes, End], encoding: str, cuts: Any) -> None:
    body, expected = reply
    parts = pieces(packed(body, encoding), cuts)
    assert end(told(parts, "deflate" if encoding == "raw" else encoding)) == expected


@given(replies(), st.data())
def test_a_cut_anywhere_before_the_end_finishes_nothing(reply: tuple[bytes, End], data: st.DataObject) -> None:
    body, expected = reply
    if expected == NOTHING:
        assert ended(body[: data.draw(st.integers(0, len(body)))]) == NOTHING


UNKNOWN_FIELD: Final = re.compile(rb"(?:^|[\r\n])(?!data:|event:|id:|retry:)[A-Za-z_-]+ ?:")
"""A field that the standard does not know: what stands in it counts only where it is an error."""


def plainly(body: bytes) -> End:
    """What a body says of its end, read from its whole text without regard to what that costs."""
    events = [[line[5:] for line in lines.split(b"\n") if line.startswith(b"data:")] for lines in blocks(body)]
    said = [obj(b"\n".join(data)) for data in events if data]
    done, over, finish, failed = False, False, None, False
    for one in said if any(each is not None for each in said) or not body.lstrip().startswith(b"{") else [obj(body)]:
        if one is None:
            continue
        delta = one.get("delta")
        found = [*reasons(one.get("choices")), one.get("stop_reason")]
        found += [delta.get("stop_reason")] if isinstance(delta, dict) else []
        found += [one.get("done_reason")] if one.get("done") is True else []
        said_so = next((each for each in found if isinstance(each, str) and each), None)
        failed = failed or bool(one.get("error") and not (over and finish))
        over = over or one.get("done") is True or one.get("type") in ("message_stop", "[DONE]")
        done, finish = done or over or bool(said_so), said_so or finish
    return done, ERROR if failed else finish


def blocks(body: bytes) -> list[bytes]:
    """Events; a line that begins like a JSON object is one of its own, and does not end the one around it."""
    found: list[bytes] = []
    lines: list[bytes] = []
    for line in re.split(rb"\r\n|\r|\n", body):
        if line.startswith(b"{"):
            found.append(b"data:" + line)
        elif line:
            lines.append(line)
        else:
            found.append(b"\n".join(lines))
            lines = []
    return [*found, b"\n".join(lines)]


def obj(text: bytes) -> dict[str, Any] | None:
    if text.lstrip(b" \t").startswith(b"[DONE]"):
        return {"type": "[DONE]"}
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def reasons(choices: object) -> list[object]:
    listed = choices if isinstance(choices, list) else []
    return [each.get("finish_reason") for each in reversed(listed) if isinstance(each, dict)]


@given(bodies())
@example(b"[DONE]")
@example(b'data: {"a": 1}\n{"done": true}\ndata: [DONE]\n\n')
def test_of_a_short_body_is_read_what_its_whole_text_says(body: bytes) -> None:
    body = body[:TAIL]
    assume(not UNKNOWN_FIELD.search(body))
    assert ended(body) == plainly(body)


@given(bodies(), st.integers(0, 8), ENCODINGS, CUTS, CUTS)
def test_any_body_is_read_alike_in_any_reads(
    body: bytes, times: int, encoding: str, one: list[int], other: list[int]
) -> None:
    body = packed(body * times, encoding)
    encoding = "deflate" if encoding == "raw" else encoding
    assert told(pieces(body, one), encoding) == told(pieces(body, other), encoding)


@given(st.sampled_from(sorted(FORMATS)), st.lists(TEXTS | REASONS.map(lambda r: (r,)), min_size=1, max_size=20), CUTS)
def test_of_a_long_body_a_finish_reason_is_read_where_it_is_kept(name: str, said: list[Any], cuts: list[int]) -> None:
    """It is kept with its record, or alone in one that begins before what is kept, or with one at the head."""
    form = FORMATS[name]
    body, marks = form.start, list[tuple[str, int, int, int]]()
    for each in said:
        piece = form.text(each) if isinstance(each, str) else form.finish(*each)
        if not isinstance(each, str):
            start = len(body) + max(piece.find(b"data:"), 0)
            marks.append((each[0], start, len(body) + piece.index(form.mark), len(body) + len(piece.rstrip())))
        body += piece
    dropped = len(body) - KEPT

    def kept(start: int, mark: int, stop: int) -> bool:
        return len(body) <= TAIL or start > dropped or start < dropped < mark or stop <= HEAD

    found = [reason for reason, *where in marks if kept(*where)]
    assert ended(*pieces(body, cuts)) == ((True, found[-1]) if found else NOTHING)


@given(st.binary(max_size=200) | bodies(), st.binary(max_size=40) | bodies())
def test_reading_raises_nothing(tail: bytes, head: bytes) -> None:
    read(tail)
    read(tail, head)
    read(tail[-50:], head[:HEAD])


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(SAYINGS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
OBJECTS: Final = st.dictionaries(st.text(max_size=4), JSON, max_size=5)


@given(OBJECTS, st.data())
def test_the_beginning_of_an_object_has_members_of_it(whole: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(whole, ensure_ascii=data.draw(st.booleans())).encode()
    found = beginning(text[: data.draw(st.integers(0, len(text)))])
    assert list(found) == list(whole)[: len(found)]
    assert all(found[key] == whole[key] for key in list(found)[:-1])
    assert beginning(text) == whole
    assert beginning(text + b'\n{"a": 1}') == whole


@given(OBJECTS, st.data())
def test_the_ending_of_an_object_has_its_last_members(whole: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(whole, ensure_ascii=data.draw(st.booleans())).encode()
    levels = ending(text[data.draw(st.integers(1, len(text))) :])
    found = levels[-1] if levels else {}
    assert list(found.items()) == list(whole.items())[len(whole) - len(found) :]
