"""Our exporters' own encoder writes what the SDK's writes, byte for byte once it is parsed."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

import autogen_streamtrace
from autogen_streamtrace import neighbours
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.run import quiet, run
from autogen_streamtrace.commands.demo.scenarios import SCENARIOS
from autogen_streamtrace.commands.demo.scenarios.program import Program
from autogen_streamtrace.neighbours import otlp_exporters
from autogen_streamtrace.otlp.encoding import batches, values
from autogen_streamtrace.otlp.encoding.batches import Encode, own

pytestmark = pytest.mark.once

Pairs = Mapping[str, Any]

# What the SDK itself encodes without a complaint

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=20)
nested = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(texts, inner),
    max_leaves=6,
)

# What it leaves out or refuses, and what it has of other types

Word = type("Word", (str,), {})
strange = st.sampled_from([None, 2**63, -(2**64), "\ud800", Word("word"), object(), ("a", None), {1: 2}, range(2)])


def pairs_of(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Pairs]:
    return st.dictionaries(texts.filter(bool), value, max_size=5)


def bounded(pairs: st.SearchStrategy[Pairs]) -> st.SearchStrategy[Pairs]:
    """As the SDK keeps them: some were dropped.

    An older one puts None in a sequence for what it does not take; such a batch is left to it.
    """
    held = st.builds(lambda pairs, most: BoundedAttributes(most, pairs), pairs, st.sampled_from([None, 1]))
    return held.filter(lambda held: not any(isinstance(value, tuple) and None in value for value in held.values()))


def bounded_list(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Sequence[Any]]:
    def made(held: list[Any], most: int | None) -> Sequence[Any]:
        kept: Any = BoundedList(most)
        for each in held:
            kept.append(each)
        return kept  # type: ignore[no-any-return]

    return st.builds(made, st.lists(items, max_size=3), st.sampled_from([None, 1]))


times = st.none() | st.integers(0, 2**64 - 1)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1)]),
    st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "2")])]),
)
scopes = st.none() | st.builds(
    InstrumentationScope,
    texts,
    st.none() | texts,
    st.none() | texts,
    st.none() | pairs_of(plain),
)
resources = st.builds(Resource, pairs_of(texts | st.booleans()), st.none() | texts)
statuses = st.builds(
    lambda code, text: Status(code, text if code is StatusCode.ERROR else None),
    st.sampled_from(StatusCode),
    st.none() | texts,
)


def spans(value: st.SearchStrategy[Any]) -> st.SearchStrategy[ReadableSpan]:
    held = bounded(pairs_of(value)) | pairs_of(value)
    return st.builds(
        ReadableSpan,
        texts,
        contexts,
        st.none() | contexts,
        resources,
        st.none() | held,
        bounded_list(st.builds(Event, texts, st.none() | held, st.integers(0, 2**63))),
        bounded_list(st.builds(Link, contexts, st.none() | held)),
        st.sampled_from(SpanKind),
        status=statuses,
        start_time=times,
        end_time=times,
        instrumentation_scope=scopes,
    )


def _record(trace_id: int, span_id: int, flags: int, **fields: Any) -> LogRecord:
    record = LogRecord(**fields)
    record.trace_id, record.span_id, record.trace_flags = trace_id, span_id, TraceFlags(flags)
    return record


def log_records(value: st.SearchStrategy[Any]) -> st.SearchStrategy[ReadableLogRecord]:
    record = st.builds(
        _record,
        st.integers(0, 2**128 - 1),
        st.integers(0, 2**64 - 1),
        st.integers(0, 255),
        timestamp=times,
        observed_timestamp=st.integers(0, 2**64 - 1),
        severity_text=st.none() | texts,
        severity_number=st.none() | st.sampled_from(SeverityNumber),
        body=value,
        attributes=bounded(pairs_of(value)) | pairs_of(value),
        event_name=st.none() | texts,
    )
    return st.builds(ReadableLogRecord, record, resources, scopes)


def refuse(batch: Sequence[Any]) -> Any:
    raise AssertionError("left to the SDK")


def written(encode: Encode, batch: Sequence[Any]) -> bytes | str:
    """The bytes of the request, or the kind of exception."""
    try:
        return bytes(encode(batch).SerializeToString(deterministic=True))
    except Exception as error:
        return type(error).__name__


@given(st.lists(spans(nested), max_size=4))
def test_spans_are_the_sdks(batch: list[ReadableSpan]) -> None:
    assert written(batches._spans, batch) == written(encode_spans, batch)


@given(st.lists(log_records(nested), max_size=4))
def test_log_records_are_the_sdks(batch: list[ReadableLogRecord]) -> None:
    assert written(batches._log_records, batch) == written(encode_logs, batch)


@pytest.mark.filterwarnings("ignore")
@given(st.lists(spans(plain | strange), min_size=1, max_size=3), st.lists(log_records(plain | strange), max_size=3))
def test_whatever_else_there_is_comes_out_as_the_sdk_has_it(
    some: list[ReadableSpan], others: list[ReadableLogRecord]
) -> None:
    logging.disable()  # the SDK complains of what it leaves out
    try:
        for sdk, signal, batch in ((encode_spans, "traces", some), (encode_logs, "logs", others)):
            assert written(ours(sdk, signal), batch) == written(sdk, batch)
    finally:
        logging.disable(logging.NOTSET)


def ours(sdk: Encode, signal: str) -> Encode:
    """What an exporter of ours encodes with in the place of ``sdk``."""
    kind: dict[str, tuple[Encode, Callable[[], Any]]] = {
        "traces": (batches._spans, batches._a_span),
        "logs": (batches._log_records, batches._a_log_record),
    }
    return own(sdk, *kind[signal])


@pytest.mark.filterwarnings("ignore:No text content or tool calls are available")
def test_nothing_of_the_demo_is_left_to_the_sdk() -> None:
    some, others = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(some))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(others))
    autogen_streamtrace.instrument(
        tracer_provider=tracers, meter_provider=MeterProvider(), logger_provider=loggers, events="all"
    )
    try:
        with quiet(), ModelServer() as server:
            asyncio.run(everything(server))
        tracers.force_flush()
    finally:
        autogen_streamtrace.uninstrument()
    spans, records = some.get_finished_spans(), others.get_finished_logs()
    assert min(len(spans), len(records)) > len(SCENARIOS)
    assert written(batches._spans, spans) == written(encode_spans, spans)
    assert written(batches._log_records, records) == written(encode_logs, records)


async def everything(server: ModelServer) -> None:
    """All scenarios of the demo at once."""
    programs = [Program(server) for _ in SCENARIOS]
    await asyncio.gather(*map(run, SCENARIOS.values(), programs))
    await asyncio.gather(*(program.close() for program in programs))


def test_true_and_one_are_not_mixed_up() -> None:
    """They are equal, and so are 0.0 and -0.0."""
    found = [values.attributes(b"", {"key": value}) for value in (True, 1, 1.0, False, 0, 0.0, -0.0)]
    assert len(set(found)) == len(found)


def test_what_is_kept_of_attributes_has_a_bound() -> None:
    for number in range(3 * values._MAX_KEPT):
        values.attributes(b"", {"key": number, f"key {number}": 0.5, "long": f"{number} {'x' * 200}"})
    assert len(values._kept) <= values._MAX_KEPT
    assert len(values._before_doubles) <= values._MAX_KEPT
    assert max(map(len, values._kept.values())) <= values._MAX_KEPT_BYTES


def test_where_the_sdk_writes_a_span_otherwise_it_is_left_to_it() -> None:
    def newer(batch: Sequence[ReadableSpan]) -> Any:
        request = encode_spans(batch)
        for each in request.resource_spans[0].scope_spans[0].spans:
            each.flags |= 1
        return request

    assert ours(newer, "traces") is newer
    assert ours(encode_spans, "traces") is not encode_spans


EXPORTERS = [
    (f"opentelemetry.exporter.otlp.proto.{package}.{module}", name, signal)
    for package in ("grpc", "http")
    for module, name, signal in (
        ("trace_exporter", "OTLPSpanExporter", "traces"),
        ("_log_exporter", "OTLPLogExporter", "logs"),
    )
]


def calls_of(exporter: Any) -> set[str]:
    """Which of its methods an exporter has for itself."""
    return {name for name, value in vars(exporter).items() if hasattr(value, "__func__")}


@pytest.mark.parametrize(("module", "name", "signal"), EXPORTERS)
def test_only_an_exporter_of_ours_encodes_otherwise(module: str, name: str, signal: str) -> None:
    make = getattr(import_module(module), name)
    own, theirs = make(), make()
    batches.speed_up(own, signal)
    assert len(calls_of(own)) == 1
    assert calls_of(theirs) == set()
    for exporter in (own, theirs):
        exporter.shutdown()


@pytest.mark.parametrize(("module", "name", "signal"), EXPORTERS)
def test_an_exporter_whose_encoder_is_not_found_keeps_it_and_it_is_told(
    module: str, name: str, signal: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(neighbours, "_said", set())
    private = otlp_exporters.ENCODE_SPANS if signal == "traces" else otlp_exporters.ENCODE_LOGS
    monkeypatch.setattr(private, "attribute", "encode_of_yore")
    exporter = getattr(import_module(module), name)()
    batches.speed_up(exporter, signal)
    assert calls_of(exporter) == set()
    assert "encode_of_yore: an export costs more" in caplog.text
    exporter.shutdown()
