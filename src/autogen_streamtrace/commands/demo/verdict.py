"""Compares the verdicts of a scenario's streams with the expected ones."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autogen_streamtrace.commands.demo.spans import WIDEST_FIRST, Attributes
from autogen_streamtrace.core import semconv

if TYPE_CHECKING:
    from autogen_streamtrace.commands.demo.scenarios import Says, Scenario


@dataclass(frozen=True)
class Row:
    """One scenario as it went."""

    name: str
    what: str
    streams: tuple[Attributes, ...]
    raised: str
    wrong: tuple[str, ...]

    @property
    def right(self) -> bool:
        return not self.wrong

    def telling(self) -> list[Attributes]:
        """The outermost stream, and where an ending arose below it, if that was another one."""
        outermost = self.streams[:1]
        seen = {stream.get(semconv.A_OUTCOME) for stream in outermost}
        origins = [stream for stream in self.streams[1:] if stream.get(semconv.A_ORIGIN) and stream[semconv.A_EARLY]]
        return [*outermost, *(stream for stream in origins if stream.get(semconv.A_OUTCOME) not in seen)]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": self.what,
            "right": self.right,
            "wrong": self.wrong,
            "raised": self.raised or None,
            "streams": self.streams,
        }


def judge(scenario: "Scenario", streams: Sequence[Attributes], unended: int, raised: str) -> Row:
    """What went wrong, in sentences; nothing where all is right."""
    wrong = [*disagreements(scenario, streams)]
    if unended:
        wrong.append(f"{unended} spans have not ended")
    if not re.fullmatch(scenario.raises, raised):
        wrong.append(f"the program saw {raised or 'no exception'}, expected {scenario.raises or 'none'}")
    return Row(scenario.name, scenario.what, tuple(streams), raised, tuple(wrong))


def full_name(raised: BaseException | None) -> str:
    """The exception's type as a traceback writes it; empty where nothing was raised."""
    if raised is None:
        return ""
    kind = type(raised)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def disagreements(scenario: "Scenario", streams: Sequence[Attributes]) -> Iterator[str]:
    for layer in WIDEST_FIRST:
        expected = [says for says in scenario.says if says.layer == layer]
        found = [stream for stream in streams if stream[semconv.A_LAYER] == layer]
        if layer in scenario.unjudged:
            continue
        if len(found) != len(expected):
            yield f"{layer}: {len(found)} streams, expected {len(expected)}"
        for says, stream in zip(expected, found, strict=False):
            yield from differences(says, stream)


def differences(says: "Says", stream: Attributes) -> Iterator[str]:
    for key, expected in says.attributes().items():
        value = stream.get(key)
        if not matches(expected, value):
            short = key.removeprefix("streamtrace.")
            yield f"{says.layer}: {short} is {as_text(value) or 'absent'}, expected {expected or 'none'}"
    if says.overrun and not stream.get(semconv.A_OVERRUN):
        yield f"{says.layer}: no upstream_overrun"


def matches(expected: str | float | bool, value: Any) -> bool:
    if isinstance(expected, str):
        return re.fullmatch(expected, as_text(value)) is not None
    if isinstance(expected, bool):
        return value is expected
    return isinstance(value, (int, float)) and math.isclose(value, expected, abs_tol=0.01)


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
