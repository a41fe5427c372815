"""A light log record comes out as the SDK's own, and is used only where nobody can tell the difference."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from autogen_streamtrace.neighbours import opentelemetry_logs
from autogen_streamtrace.neighbours.opentelemetry_logs import light_logs_of

PLAIN = st.one_of(st.text(), st.booleans(), st.integers(), st.floats(allow_nan=False))
VALUES = st.one_of(PLAIN, st.lists(PLAIN).map(tuple), st.none(), st.binary(), st.lists(st.text()))
SPAN = NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1)))
REST: dict[str, Any] = {
    "event_name": "streamtrace.stream.end",
    "severity_number": SeverityNumber.WARN,
    "severity_text": "WARN",
    "body": "agent writer ended",
    "context": set_span_in_context(SPAN, Context()),
    "timestamp": 3,
    "observed_timestamp": 4,
}


def provider(**limits: int) -> tuple[LoggerProvider, InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    made = LoggerProvider(shutdown_on_exit=False, log_record_limits=LogRecordLimits(**limits))
    made.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return made, exporter


def told(attributes: dict[str, Any], *, light: bool) -> tuple[bool, str]:
    """Whether it was a light one, and the record as its exporter got it."""
    made, exporter = provider()
    logger = made.get_logger("scope")
    if light:
        logs = light_logs_of(logger)
        assert logs is not None
        was_light = logs.emit(attributes, **REST)
    if not light or not was_light:
        was_light = False
        logger.emit(attributes=attributes, **REST)
    (record,) = exporter.get_finished_logs()
    return was_light, record.to_json()


@pytest.mark.once
@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_a_light_record_comes_out_as_the_sdks_own(attributes: dict[str, Any]) -> None:
    assert told(dict(attributes), light=True)[1] == told(dict(attributes), light=False)[1]


@pytest.mark.once
@pytest.mark.parametrize(
    ("attributes", "light"),
    [
        ({"a": 1, "b": ("c", "d")}, True),
        ({"a": None}, False),
        ({"": 1}, False),
        ({"a": [1]}, False),
        ({"a": (("b",),)}, False),
        ({f"a{n}": n for n in range(129)}, False),
    ],
)
def test_what_the_sdk_would_change_is_its_own(attributes: dict[str, Any], light: bool) -> None:
    made, _ = provider()
    logs = light_logs_of(made.get_logger("scope"))
    assert logs is not None and logs.emit(attributes, **REST) is light


@pytest.mark.once
def test_a_batch_has_what_a_record_had() -> None:
    made, exporter = provider()
    made.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logs = light_logs_of(made.get_logger("scope"))
    assert logs is not None and logs.emit({"a": 1, "b": ("c", "d")}, **REST)
    made.force_flush()
    at_once, in_a_batch = exporter.get_finished_logs()
    assert in_a_batch.to_json() == at_once.to_json()
    made.shutdown()


class Own(BatchLogRecordProcessor):
    """A processor of the program's: it may ask for anything that the SDK's records have."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        pass


@pytest.mark.once
def test_a_processor_of_the_programs_gets_the_sdks_records_also_when_it_is_added_late() -> None:
    made, exporter = provider()
    logs = light_logs_of(made.get_logger("scope"))
    assert logs is not None and logs.emit({"a": 1}, **REST)
    made.add_log_record_processor(Own(exporter))
    assert not logs.emit({"a": 1}, **REST)
    made.shutdown()


@pytest.mark.once
def test_a_logger_that_shortens_values_has_its_own() -> None:
    assert light_logs_of(provider(max_log_record_attribute_length=3)[0].get_logger("scope")) is None


@pytest.mark.once
@pytest.mark.parametrize("name", ["LIMITS", "PROCESSOR", "PROCESSORS"])
def test_without_a_private_name_records_are_the_sdks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getattr(opentelemetry_logs, name), "attribute", "_of_yore")
    opentelemetry_logs.are_known.cache_clear()
    try:
        assert light_logs_of(provider()[0].get_logger("scope")) is None
    finally:
        opentelemetry_logs.are_known.cache_clear()
