"""Reports the streams of a dead process, under its own resource and with their own ids and times."""

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
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
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
from autogen_streamtrace.recorder.replay import Replay, replay
from autogen_streamtrace.recorder.retired_counts import RetiredCounts
from autogen_streamtrace.recorder.series import continued

_TICK: Final = 0.005
"""Seconds between the export of 0 and that of the count: Prometheus keeps one sample a millisecond, the first."""

logger = logging.getLogger(__name__)

Wanted = Callable[[dict[str, Any]], bool]
Send = Callable[[Literal["traces", "metrics", "logs"], Any], bool]
"""Exports a batch of that signal; True if it has arrived."""


@dataclass(frozen=True)
class Recovered:
    """What is recovered from one recorder."""

    orphan: Orphan
    spans: Sequence[ReadableSpan]
    events: Sequence[ReadableLogRecord]
    metrics: Sequence[MetricsData]
    killed: int
    """Streams that were open."""
    counters: bytes
    """The counters' file that must replace the present one before ``metrics`` are sent: no series starts at 0 twice."""

    @property
    def streams(self) -> int:
        """Streams that the process had not reported completely."""
        return len(self.orphan.rows)

    def send(self, send: Send) -> bool:
        """Sends everything; True if all of it has arrived."""
        if self.spans and not send("traces", self.spans):
            return False
        if self.events and not send("logs", self.events):
            return False
        try:
            orphans.replace_counters(self.orphan.path, self.counters)
        except OSError as error:  # the disk is full; removing this recorder makes room
            logger.debug("the counters beside %s stay as they are: %s", self.orphan.path, error)
        return all(send("metrics", data) for data in self.metrics)


def recover(orphan: Orphan) -> Recovered:
    """What a recorder holds, ready to be sent. Only the times of events and metrics differ between two calls."""
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
        baggage=dict.fromkeys(settings.get("baggage", ()), ()),  # the rows have its labels
    )
    orphan.counters.load(telemetry.counters)
    layers: set[str] = {row.state.layer for row in orphan.rows} | {each[sc.A_LAYER] for each in orphan.counters.started}
    telemetry.watch(lambda: 0, lambda: dict.fromkeys(layers, 0.0), list)
    replayed = replay(orphan)
    open_at_death = len([node for node in replayed.attribution.open if node.ending is None])
    killed = replayed.attribution.killed(replayed.now, supervision.explains(orphan.timers, orphan.seen[0]))
    seen = _iso(_last_seen_ns(orphan, replayed)) if replayed.rows else ""
    for row in orphan.rows:
        telemetry.counters.start(row.state.labels)
        _place(telemetry, ids, orphan, row)
        if row.judged is not None:
            judged, labels = row.judged, _counted(row.state.labels, row.judged)
            telemetry.recovered(row.state, judged.attributes, judged.end_ns, labels, told=row.told)
    for node in [*replayed.settled, *killed]:
        assert node.finished_at is not None
        attributes = telemetry.attributes(node)
        if attributes[sc.A_OUTCOME] == sc.KILLED:
            attributes[sc.A_LAST_SEEN] = seen
        telemetry.recovered(node.state, attributes, node.state.nanoseconds(node.finished_at))
    first = continued(reader, orphan)
    time.sleep(_TICK)
    metrics = [data for data in (first, continued(reader, orphan)) if data is not None]
    counted = RetiredCounts.of(orphan.counters).file(orphan.counters.state, telemetry.counters)
    return Recovered(orphan, spans.ended, events.emitted, metrics, open_at_death, counted)


def recover_all(
    send: Send, chosen: directory.Chosen = None, wanted: Wanted = lambda described: True
) -> Iterator[tuple[Path, Recovered | None]]:
    """Recovers every recorder whose process has died: sends its streams, then removes it.

    Args:
        send: exports a batch. What does not arrive is sent again the next time.
        chosen: the setting ``recorder_dir``.
        wanted: says by a header's description whether that recorder is recovered. The others stay.

    Yields:
        Each file with what was recovered from it; None where that did not arrive or the file could not be read.
    """
    orphans.sweep(chosen)
    for path in directory.found(chosen):
        try:
            if not _is(wanted, path):
                continue
            with orphans.claimed(path) as descriptor:
                if descriptor is not None:
                    yield path, _recover_one(path, descriptor, send)
        except FileNotFoundError:
            continue  # another process has just recovered it
        except OSError as error:
            logger.debug("%s cannot be recovered: %s", path, error)
            yield path, None


def _is(wanted: Wanted, path: Path) -> bool:
    """Asks ``wanted`` before the file is claimed, since a claim keeps its own service from it."""
    try:
        return wanted(orphans.read_header(path))
    except Unreadable:
        return True  # its service is not known; nothing is sent, and the file is set aside


def dead(chosen: directory.Chosen = None) -> Iterator[tuple[Path, Recovered | None]]:
    """Every recorder whose process has died, with what would be sent. It sends and removes nothing."""
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
    except Exception as error:  # the files beside it must still be recovered
        logger.debug("%s cannot be recovered", path, exc_info=True)
        orphans.set_aside(path, f"{type(error).__name__}: {error}")
        return None
    if not found.send(send):
        return None
    if orphan.damaged:
        orphans.set_aside(path, "; ".join(orphan.damaged[:5]))
    orphans.remove(path)
    return found


def _last_seen_ns(orphan: Orphan, replayed: Replay) -> int:
    """The last sign of life, in nanoseconds since the epoch: a pulse, or what a stream has written after it.

    A process that dies before its first pulse has only the latter.
    """
    pulse, pulse_ns = orphan.seen
    if pulse >= replayed.now:
        return pulse_ns
    newest = max(replayed.rows, key=lambda state: state.start)
    return newest.nanoseconds(replayed.now)


def _counted(labels: StreamLabels, judged: Judged) -> CounterLabels:
    """The labels under which the dead process counted the end of a stream."""
    attributes = judged.attributes
    ended = {**ended_labels(labels, attributes), **judged.ended}
    if not (attributes[sc.A_EARLY] and attributes[sc.A_ORIGIN]):
        return CounterLabels(labels.started, ended)
    return CounterLabels(labels.started, ended, {**cut_labels(labels, attributes), **judged.cut})


def _place(telemetry: Telemetry, ids: "_Ids", orphan: Orphan, row: Row) -> None:
    """Starts a row's span with its own ids, under its own parent."""
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
    """Gives a span the ids that it had before."""

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
