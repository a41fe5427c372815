"""What a run exported, as small objects."""

from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

PREFIX: Final = "streamtrace."


@dataclass(frozen=True)
class Told:
    """A verdict as it was exported. Absent attributes are empty."""

    outcome: str
    ended_by: str
    waiting_on: str = "none"
    waiting_on_name: str = ""
    cause: str = ""
    cause_layer: str = ""
    limit: tuple[str, float, str] | None = None
    """Its id, value and source."""
    cancelled_by: str = ""
    early: bool = True
    fault: bool = True
    status: str = "ERROR"
    error_type: str = ""
    origin: bool = False
    """Of an early ending: it arose here."""


@dataclass(frozen=True)
class Event:
    """A log event."""

    name: str
    severity: str
    body: str
    attributes: dict[str, Any]
    trace_id: int
    span_id: int


@dataclass(frozen=True)
class Point:
    """A data point of a metric; of a histogram, ``value`` is the count."""

    attributes: dict[str, Any]
    value: float
    exemplars: tuple[tuple[int | None, int | None], ...] = ()
    """Trace and span ids."""


Metrics = dict[str, list[Point]]


class Stream:
    """A span of ours: ``stream["chunks"]`` is ``streamtrace.chunks``; other keys are written whole."""

    def __init__(self, span: ReadableSpan) -> None:
        self.span = span
        self.attributes: dict[str, Any] = dict(span.attributes or {})
        self.layer: str = self["layer"]
        self.name: str = self["name"]
        self.seconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
        self.id = span.context.span_id

    def __getitem__(self, key: str) -> Any:
        return self.attributes.get(PREFIX + key, self.attributes.get(key))

    def __repr__(self) -> str:
        return f"<{self.layer} {self.name}: {self['outcome']}>"

    @property
    def chain(self) -> tuple[str, ...]:
        """``cause.chain``."""
        return self["cause.chain"] or ()

    @property
    def told(self) -> Told:
        """Its verdict."""
        limit = (self["limit.id"], self["limit.value"], self["limit.source"]) if self["limit.id"] else None
        return Told(
            outcome=self["outcome"],
            ended_by=self["ended_by"],
            waiting_on=self["waiting_on.type"],
            waiting_on_name=self["waiting_on.name"] or "",
            cause=self["cause.type"] or "",
            cause_layer=self["cause.layer"] or "",
            limit=limit,
            cancelled_by=self["cancelled_by"] or "",
            early=self["early"],
            fault=self["fault"],
            status=self.span.status.status_code.name,
            error_type=self["error.type"] or "",
            origin=self["early"] and self["origin"],
        )


@dataclass
class Seen:
    """All of it."""

    raised: str
    """Full name of the exception that the program ended with; empty if with none."""
    streams: list[Stream]
    """In the order in which they started."""
    spans: list[ReadableSpan]
    """All, AutoGen's and the official HTTP instrumentation's too."""
    unended: int
    """Spans that were started and have not ended."""
    metrics: tuple[Metrics, Metrics]
    """The first two collections, after the end."""
    events: list[Event]
    """Ours."""

    def of(self, layer: str, name: str | None = None) -> list[Stream]:
        """The streams of a layer, or those with this name."""
        return [s for s in self.streams if s.layer == layer and name in (None, s.name)]

    def one(self, layer: str, name: str | None = None) -> Stream:
        """The only one."""
        streams = self.of(layer, name)
        assert len(streams) == 1, f"{streams} where one {layer} {name or ''} was expected, of {self.streams}"
        return streams[0]

    def told(self, *layers: str) -> list[Told]:
        """The verdicts of these layers, which have one stream each."""
        return [self.one(layer).told for layer in layers]

    @property
    def layers(self) -> list[str]:
        """The layer of each stream, sorted."""
        return sorted(stream.layer for stream in self.streams)

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        """The span's parent, where it was exported."""
        wanted = span.parent.span_id if span.parent is not None else None
        return next((s for s in self.spans if s.context.span_id == wanted), None)

    def above(self, stream: Stream) -> list[Stream]:
        """The streams that enclose it, from the inside out."""
        found: list[Stream] = []
        span = self.parent(stream.span)
        while span is not None:
            found += [s for s in self.streams if s.span is span]
            span = self.parent(span)
        return found

    def points(self, metric: str, collection: int = 1) -> list[Point]:
        """The points of a metric, by the last part of its name, in one of the collections."""
        return self.metrics[collection].get(PREFIX + metric, [])

    def total(self, metric: str, **labels: Any) -> float:
        """The sum of a metric's points whose attributes agree."""
        wanted = {PREFIX + key: value for key, value in labels.items()}
        return sum(p.value for p in self.points(metric) if wanted.items() <= p.attributes.items())
