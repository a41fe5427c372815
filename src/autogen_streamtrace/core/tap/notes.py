"""What a tap notes in a stream's state."""

from collections.abc import Callable
from typing import Any

from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.stream.state import StreamState

Note = Callable[[StreamState, Any], None]
"""Reads what a stream's terminal item says into the stream's state."""


def note_gap(state: StreamState, now: float, asked: float) -> float:
    if state.chunks == 1:
        state.first = now
        return 0.0
    state.longest_gap = now - asked
    return state.longest_gap


def note_terminal(state: StreamState, item: Any, note: Note | None) -> None:
    state.terminal = True
    if state.content is not None:
        state.content.result = item
    if note is not None:
        try:
            note(state, item)
        except Exception as defect:
            report("reading a terminal item", defect)
