"""Bodies of the three formats, changed in every way."""

import json
from collections.abc import Callable
from typing import Final, NamedTuple

from hypothesis import strategies as st
from wire_replies import (
    DONE,
    SAYINGS,
    anthropic,
    anthropic_document,
    anthropic_end,
    anthropic_event,
    anthropic_start,
    event,
    ollama,
    ollama_document,
    ollama_end,
    openai,
    openai_document,
    openai_usage,
)

REASONS: Final = st.sampled_from(["stop", "length", "abort"])
ENCODINGS: Final = st.sampled_from(["", "identity", "gzip", "deflate", "raw"])
CUTS: Final = st.lists(st.integers(2, 40_000), max_size=12)


class Format(NamedTuple):
    """Pieces of a stream."""

    start: bytes
    text: Callable[[str], bytes]
    finish: Callable[[str], bytes]
    """A record with this finish reason."""
    after: bytes
    """What follows in a whole reply."""
    mark: bytes
    """What stands in its record before the finish reason's own member."""


FORMATS: Final = {
    "openai": Format(b"", openai, lambda reason: openai("", reason), openai_usage() + DONE, b', "finish_reason"'),
    "anthropic": Format(
        anthropic_start(),
        anthropic,
        lambda reason: anthropic_end(reason, stop=False),
        anthropic_event("message_stop"),
        b', "delta"',
    ),
    "ollama": Format(b"", ollama, ollama_end, b"", b', "done"'),
}

DOCUMENTS: Final = (openai_document, anthropic_document, lambda text: ollama_document(text, done=True))


Change = tuple[str, int, bytes]
CHANGES: Final = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete", "replace", "repeat", "cut"]),
        st.integers(0, 10_000),
        st.binary(min_size=1, max_size=3)
        | st.sampled_from([b"\n", b"\n\n", b"{", b"}", b'"', b"\\", b"data: ", b",", b"\r"]),
    ),
    min_size=1,
    max_size=5,
)
SMALL: Final = st.sampled_from(SAYINGS) | st.text(max_size=10)


def changed(body: bytes, changes: list[Change]) -> bytes:
    for how, place, part in changes:
        at = place % (len(body) + 1)
        if how == "cut":
            body = body[:at]
        elif how == "repeat":
            body = body[:at] + body[at : at + 40] + body[at:]
        else:
            skip = {"insert": 0, "delete": len(part) * 5, "replace": len(part)}[how]
            body = body[:at] + (b"" if how == "delete" else part) + body[at + skip :]
    return body


@st.composite
def bodies(draw: st.DrawFn, name: str = "") -> bytes:
    """Pieces of a format, or a document, in any order and with any change."""
    form = FORMATS[name or draw(st.sampled_from(sorted(FORMATS)))]
    records = st.one_of(
        SMALL.map(form.text),
        st.builds(form.finish, REASONS),
        st.sampled_from(
            [form.start, form.after, b": ping\n\n", event({"error": {"message": "no"}}), b'{"error":"no"}\n']
        ),
    )
    body = b"".join(draw(st.lists(records, max_size=8)))
    if draw(st.sampled_from([False, False, True])):
        whole = draw(st.sampled_from(DOCUMENTS))(draw(SMALL))
        body = json.dumps(whole, indent=draw(st.sampled_from([None, 2]))).encode()
    return changed(body, draw(CHANGES)) if draw(st.booleans()) else body
