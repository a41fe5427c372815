"""Says how the streams of a process ended that has died: under its own resource, with their own ids and times."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamLabels
from autogen_streamtrace.core.telemetry.counters import cut_labels, ended_labels
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.core.watching import supervision
from autogen_streamtrace.core.watching.recorder import CounterLabels
from autogen_streamtrace.recorder import directory, orphans
from autogen_streamtrace.recorder.layout import Judged, Row, Unreadable
from autogen_streamtrace.recorder.orphans import Orphan
from autogen_streamtrace.recorder.replay import replay
from autogen_streamtrace.recorder.retired_counts import RetiredCounts

_TICK: Final = 0.005
"""Seconds between the export of 0 and that of the count: Prometheus keeps one sample a millisecond, the first."""
_METRICS: Final = (sc.M_STARTED, sc.M_ENDED, sc.M_CUT, sc.M_OPEN, sc.M_STALLED, sc.M_OLDEST)

logger = logging.getLogger(__name__)

Wanted = Callable[[dict[str, Any]], bool]
Send = Callable[[Literal["traces", "metrics", "logs"], Any], bool]
"""Exports a batch of that signal; True if it has arrived."""


@dataclass(frozen=True)
class Recovered:
    """What one recorder had to tell."""

    orphan: Orphan
    spans: Sequence[ReadableSpan]
    events: Sequence[ReadableLogRecord]
    metrics: Sequence[MetricsData]
    killed: int
    """Streams that were open."""
    counters: bytes
    """The counters' file as it has to be before ``metrics`` are sent: no series begins at 0 a second time."""

    @property
    def streams(self) -> int:
        """Streams that had not been reported as a whole."""
        return len(self.orphan.rows)

    def send(self, send: Send) -> bool:
        """Sends all of it; True if all has arrived."""
        if self.spans and not send("traces", self.spans):
            return False
        if self.events and not send("logs", self.events):
            return False
        try:
            orphans.replace_counters(self.orphan.path, self.counters)
        except OSError as error:  # the disk is full: what has arrived makes room, and seldom has to be sent again
            logger.debug("the counters beside %s stay as they are: %s", self.orphan.path, error)
        return all(send("metrics", data) for data in self.metrics)


def recover(orphan: Orphan) -> Recovered:
    """What is to be told of a recorder. The same each time, but for the time of its events and metrics."""
    spans, events, reader, ids = _Spans(), _Events(), InMemoryMetricReader(), _Ids()
    resource = Resource(orphan.described.get("resource", {}), orphan.described.get("schema_url") or None)
    settings = orphan.settings
    telemetry = Telemetry(
        _tracer_provider(resource, ids, spans),
        MeterProvider([reader], resource, shutdown_on_exit=False),
        _logger_provider(resource, events),
        events=settings.get("events", "turns"),
        caller_endings=settings.get("caller_endings", "unset"),
        max_names=settings.get("max_names", 100),
        baggage=dict.fromkeys(settings.get("baggage", ()), ()),  # its labels stand in the rows
    )
    orphan.counters.load(telemetry.counters)
    layers: set[str] = {row.state.layer for row in orphan.rows} | {each[sc.A_LAYER] for each in orphan.counters.started}
    telemetry.watch(lambda: 0, lambda: dict.fromkeys(layers, 0.0), list)
    replayed = replay(orphan)
    open_at_death = len([node for node in replayed.attribution.open if node.ending is None])
    killed = replayed.attribution.killed(replayed.now, supervision.explains(orphan.timers, orphan.seen[0]))
    seen = _iso(orphan.seen[1]) if orphan.seen[1] else ""
    for row in orphan.rows:
        telemetry.counters.start(row.state.labels)
        _place(telemetry, ids, orphan, row)
        if row.judged is not None:
            judged, labels = row.judged, _counted(row.state.labels, row.judged)
            telemetry.recovered(row.state, judged.attributes, judged.end_ns, labels, told=row.told)
    for node in [*replayed.settled, *killed]:
        assert node.over_at is not None
        attributes = telemetry.attributes(node)
        if attributes[sc.A_OUTCOME] == sc.KILLED and seen:
            attributes[sc.A_LAST_SEEN] = seen
        telemetry.recovered(node.state, attributes, node.state.nanoseconds(node.over_at))
    first = _metrics(reader, orphan)
    time.sleep(_TICK)
    metrics = [data for data in (first, _metrics(reader, orphan)) if data is not None]
    counted = RetiredCounts.of(orphan.counters).file(orphan.counters.state, telemetry.counters)
    return Recovered(orphan, spans.ended, events.emitted, metrics, open_at_death, counted)


def recover_all(
    send: Send, chosen: directory.Chosen = None, wanted: Wanted = lambda described: True
) -> Iterator[tuple[Path, Recovered | None]]:
    """Recovers every recorder whose owner has died: sends what it has to tell, then removes it.

    Args:
        send: exports; what does not arrive is left for the next time.
        chosen: the setting ``recorder_dir``.
        wanted: says which are to be recovered, by what their headers describe; the others stay.

    Yields:
        Each file with what was recovered from it; None where that did not arrive, or the file could not be read.
    """
    orphans.sweep(chosen)
    for path in directory.found(chosen):
        try:
            if not _is(wanted, path):
                continue
            with orphans.held(path) as descriptor:
                if descriptor is not None:
                    yield path, _recover_one(path, descriptor, send)
        except FileNotFoundError:
            continue  # somebody else has just recovered it
        except OSError as error:
            logger.debug("%s cannot be recovered: %s", path, error)
            yield path, None


def _is(wanted: Wanted, path: Path) -> bool:
    """Before anybody claims it: a claim keeps its own from it."""
    try:
        return wanted(orphans.read_header(path))
    except Unreadable:
        return True  # whose it is cannot be known; nothing of it is sent, and it is set aside


def dead(chosen: directory.Chosen = None) -> Iterator[tuple[Path, Recovered | None]]:
    """Every recorder whose owner has died, with what it has to tell; nothing is sent or removed."""
    for path in directory.found(chosen):
        try:
            with orphans.orphaned(path) as descriptor:
                if descriptor is not None:
                    yield path, recover(orphans.read(path, descriptor))
        except (OSError, Unreadable) as error:
            logger.warning("The flight recorder %s cannot be read: %s", path, error)
            yield path, None


def _recover_one(path: Path, descriptor: int, send: Send) -> Recovered | None:
    try:
        orphan = orphans.read(path, descriptor)
        found = recover(orphan)
    except Unreadable as error:
        orphans.set_aside(path, str(error))
        return None
    except Exception as error:  # whatever stands there, the files beside it are to be recovered
        logger.debug("%s cannot be recovered", path, exc_info=True)
        orphans.set_aside(path, f"{type(error).__name__}: {error}")
        return None
    if not found.send(send):
        return None
    if orphan.damaged:
        orphans.set_aside(path, "; ".join(orphan.damaged[:5]))
    orphans.remove(path)
    return found


def _counted(labels: StreamLabels, judged: Judged) -> CounterLabels:
    """As what the dead process counted the end of a stream."""
    attributes = judged.attributes
    ended = {**ended_labels(labels, attributes), **judged.ended}
    if not (attributes[sc.A_EARLY] and attributes[sc.A_ORIGIN]):
        return CounterLabels(labels.started, ended)
    return CounterLabels(labels.started, ended, {**cut_labels(labels, attributes), **judged.cut})


def _place(telemetry: Telemetry, ids: "_Ids", orphan: Orphan, row: Row) -> None:
    """Starts the row's span with its own ids, under its own parent."""
    state, own = row.state, row.ids
    span = row.judged.span if row.judged is not None else own.span
    if own.trace and not span:
        span = int.from_bytes(blake2b(f"{orphan.path.stem}:{row.serial}".encode(), digest_size=8).digest(), "big")
    flags = TraceFlags(TraceFlags.SAMPLED if own.sampled else TraceFlags.DEFAULT)
    if not own.trace or not own.sampled:
        state.span = NonRecordingSpan(SpanContext(own.trace, span, False, flags))
        return
    ids.trace, ids.span = own.trace, span
    above = NonRecordingSpan(SpanContext(own.trace, own.parent, False, flags))
    state.context = set_span_in_context(above, Context()) if own.parent else Context()
    telemetry.span(state)


class _Ids(IdGenerator):
    """Gives the next span the ids that it had."""

    trace = span = 0

    def generate_span_id(self) -> int:
        return self.span

    def generate_trace_id(self) -> int:
        return self.trace


@dataclass
class _Spans(SpanProcessor):
    ended: list[ReadableSpan] = field(default_factory=list)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


@dataclass
class _Events(LogRecordProcessor):
    emitted: list[ReadableLogRecord] = field(default_factory=list)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.emitted.append(
            ReadableLogRecord(
                log_record.log_record,
                log_record.resource or Resource({}),
                log_record.instrumentation_scope,
                log_record.limits,
            )
        )

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


def _metrics(reader: InMemoryMetricReader, orphan: Orphan) -> MetricsData | None:
    """The dead process's own series, one collection on."""
    data = reader.get_metrics_data()
    if data is None:
        return None
    began = {
        (name, tuple(labels.items())): shown_ns
        for name, table in (
            (sc.M_STARTED, "started"),
            (sc.M_ENDED, "ended"),
            (sc.M_CUT, "cut"),
        )
        for labels, _, shown_ns in orphan.counters.tables.get(table, ())
        if shown_ns
    }
    return MetricsData(
        [
            ResourceMetrics(
                resource.resource,
                [
                    ScopeMetrics(
                        scope.scope,
                        [_since(metric, began) for metric in scope.metrics if metric.name in _METRICS],
                        scope.schema_url,
                    )
                    for scope in resource.scope_metrics
                ],
                resource.schema_url,
            )
            for resource in data.resource_metrics
        ]
    )


def _since(metric: Metric, began: dict[tuple[str, tuple[tuple[str, Any], ...]], int]) -> Metric:
    """A counter whose series began when the dead process first exported them."""
    if not isinstance(metric.data, Sum) or not metric.data.is_monotonic:
        return metric
    points = [
        NumberDataPoint(
            attributes=point.attributes,
            start_time_unix_nano=began.get(
                (metric.name, tuple((point.attributes or {}).items())), point.start_time_unix_nano
            ),
            time_unix_nano=point.time_unix_nano,
            value=point.value,
            exemplars=point.exemplars,
        )
        for point in metric.data.data_points
    ]
    data = Sum(points, metric.data.aggregation_temporality, metric.data.is_monotonic)
    return Metric(metric.name, metric.description, metric.unit, data)


def _tracer_provider(resource: Resource, ids: _Ids, spans: _Spans) -> TracerProvider:
    provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=ids)
    provider.add_span_processor(spans)
    return provider


def _logger_provider(resource: Resource, events: _Events) -> LoggerProvider:
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(events)
    return provider


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, timezone.utc).isoformat(timespec="milliseconds")
