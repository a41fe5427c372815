"""Light log records: records of OpenTelemetry's SDK whose attributes stay in the dictionary in which they came.

The SDK copies attributes into a mapping with a lock, and cleans every value. Here that is left out where it would
change nothing, and where no processor but the SDK's own sees the record.

This depends on the SDK's private names. So a light record is compared with the SDK's own before any is used.
"""

import functools
from collections.abc import Collection
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context

from autogen_streamtrace.neighbours import GoneError, Private
from autogen_streamtrace.neighbours.opentelemetry import SDK
from autogen_streamtrace.neighbours.opentelemetry_light import PLAIN, KnownProcessors, comes_out_alike, light_of

_SLOWER: Final = "a log record costs more"
LIMITS: Final = Private(SDK, "Logger", "_log_record_limits", _SLOWER)
PROCESSOR: Final = Private(SDK, "Logger", "_multi_log_record_processor", _SLOWER)
PROCESSORS: Final = Private(SDK, "SynchronousMultiLogRecordProcessor", "_log_record_processors", _SLOWER)


class LightLogs:
    """The light log records of a logger.

    Raises:
        GoneError: the logger is not the SDK's, or has settings for which there are no light records.
    """

    def __init__(self, sdk_logger: Any) -> None:
        from opentelemetry.sdk._logs import Logger, ReadWriteLogRecord
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor

        limits, processor = LIMITS.need(sdk_logger), PROCESSOR.need(sdk_logger)
        if type(sdk_logger) is not Logger or limits.max_log_record_attribute_length is not None:
            raise GoneError(LIMITS)
        PROCESSORS.need(processor)
        self._logger = sdk_logger
        self._processor = processor
        self._limits = limits
        self._most: int | None = limits.max_log_record_attributes
        self._class: Any = ReadWriteLogRecord
        self._known = KnownProcessors(PROCESSORS, BatchLogRecordProcessor, SimpleLogRecordProcessor)

    def emit(self, attributes: dict[str, Any], **rest: Any) -> bool:
        """As ``Logger.emit``, which takes over ``attributes``; returns whether the record could be a light one."""
        full = self._most is not None and len(attributes) > self._most
        if full or "" in attributes or not _are_plain(attributes.values()):
            return False
        if not self._known.are_all_of(self._processor):
            return False
        record = self._class.__new__(self._class)
        record.log_record = _Record(attributes=attributes, **rest)
        record.resource = self._logger.resource
        record.instrumentation_scope = self._logger.instrumentation_scope
        record.limits = self._limits
        self._logger.emit(record)
        return True


class _Record(LogRecord):
    def __copy__(self) -> "_Record":
        """The SDK copies each record into its batch."""
        made = _Record.__new__(_Record)
        vars(made).update(vars(self))
        return made


def _are_plain(values: Collection[Any]) -> bool:
    return PLAIN.issuperset(map(type, values)) or all(
        type(each) in PLAIN or (type(each) is tuple and PLAIN.issuperset(map(type, each))) for each in values
    )


@functools.cache
def are_known() -> bool:
    """Whether light records come out as those of the installed SDK do."""
    return comes_out_alike(_trial, "Log records")


def _trial(*, light: bool) -> list[str]:
    """A record, as its exporter gets it."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(Resource({"a": "b"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    one: Any = provider.get_logger("autogen_streamtrace")
    emit = LightLogs(one).emit if light else one.emit
    emit(
        attributes={"a": 1, "b": "c", "d": 0.5, "e": True, "f": ("g", "h")},
        event_name="event",
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body="text",
        context=Context(),
        timestamp=1,
        observed_timestamp=2,
    )
    return [each.to_json() for each in exporter.get_finished_logs()]


def light_logs_of(sdk_logger: Any) -> LightLogs | None:
    """The light log records of a logger; None where its records have to be the SDK's own."""
    return light_of(sdk_logger, LightLogs, are_known)
