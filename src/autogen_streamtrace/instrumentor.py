"""``instrument()`` and what stands beside it: an OpenTelemetry ``BaseInstrumentor``."""

import logging
from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from autogen_streamtrace import applied, otlp
from autogen_streamtrace.watch import FLUSH_TIMEOUT, PROVIDERS, Plan, Watch

logger = logging.getLogger("autogen_streamtrace")


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Watches the streams of AutoGen and of the HTTP clients below it."""

    _watch: Watch | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """None that must be there: what is absent is skipped."""
        return ()

    @property
    def watch(self) -> Watch | None:
        """What is applied now."""
        return self._watch

    def _instrument(self, **keywords: Any) -> None:
        self._watch = Watch(Plan.of(keywords))
        applied.tracker = self._watch.tracker

    def _uninstrument(self, **keywords: Any) -> None:
        applied.tracker = None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()


class AutoInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """For ``opentelemetry-instrument``: a wrong setting is logged, since an exception would stop the loader.

    The loader applies the official HTTP instrumentations itself.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None that must be there: what is absent is skipped."""
        return ()

    def _instrument(self, **keywords: Any) -> None:
        known = {key: value for key, value in keywords.items() if key in PROVIDERS}
        try:
            instrument(**known, _official=False)
        except Exception as error:
            logger.error("autogen_streamtrace is off: %s", error)

    def _uninstrument(self, **keywords: Any) -> None:
        uninstrument()


def instrument(**keywords: Any) -> None:
    """Watches every stream of this process from now on. A second call changes nothing.

    Args:
        tracer_provider, meter_provider, logger_provider: where telemetry goes. By default the program's own
            providers, or, where it has set up none, new ones that export over OTLP as the ``OTEL_*`` variables say.
        events: which log events are emitted: ``turns`` (start and end of outermost streams, every early
            ending), ``all`` or ``none``.
        caller_endings: ``error`` gives endings that the reader chose the span status ERROR too.
        recorder: keeps what is known of open streams in a file, so that it survives the process.
        recorder_dir: where; by default in the user's state directory.
        stall_after: seconds without an item after which an open stream is told as stalled.
        max_names: how many distinct values a metric label may take; the rest reads ``_OTHER``.
        limits_file: a TOML file of limits, in the form of the catalogue that ships, to suspect beside those of it.
        finish_reasons_file: a TOML file that says what finish reasons of your servers mean, in the form of the table
            that ships: ``done``, ``length``, ``filtered`` and ``failed``, each a list of words.
        baggage: keys of baggage entries that go on spans and events; as a mapping, each with the values that it
            may have on metrics, where every other value reads ``_OTHER``.

    Raises:
        SettingError: a setting is unknown, or its value is not allowed.
        CatalogueError: the file of limits cannot be used.
        FinishReasonsError: the file of finish reasons cannot be used.

    Source: every standard variable of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    instrumentor = Instrumentor()
    if otlp.sdk_disabled() or instrumentor.is_instrumented_by_opentelemetry:
        Plan.of(keywords)
        return
    instrumentor.instrument(**keywords)


def uninstrument() -> None:
    """Puts every original back. Streams that are open now end under the watch they began with.

    Waits up to 5 seconds until all that was seen is out, but not where an event loop runs. Nothing is left behind then.
    """
    instrumentor = Instrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def flush(timeout: float = FLUSH_TIMEOUT) -> bool:
    """Brings out all that was seen so far, through a program's own providers too. Metrics are collected twice.

    In a coroutine, call it through ``asyncio.to_thread``: it blocks whoever calls it.

    Args:
        timeout: seconds for all of it, at most. Where nobody listens it takes less.

    Returns:
        Whether all of it is out. True where ``instrument()`` was not called.
    """
    watch = Instrumentor().watch
    return True if watch is None else watch.flush(timeout)
