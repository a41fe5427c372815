"""``instrument()``, ``uninstrument()`` and ``flush()``, and the OpenTelemetry ``BaseInstrumentor`` behind them."""

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from autogen_streamtrace import applied, otlp
from autogen_streamtrace.watch import FLUSH_TIMEOUT, PROVIDERS, Plan, Watch

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from autogen_streamtrace.settings import Keywords

logger = logging.getLogger(__name__)


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Watches the streams of AutoGen and of the HTTP clients below it."""

    _watch: Watch | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """No package is required: an absent one is skipped."""
        return ()

    @property
    def watch(self) -> Watch | None:
        """What watches this process now."""
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
        """No package is required: an absent one is skipped."""
        return ()

    def _instrument(self, **keywords: Any) -> None:
        known = {key: value for key, value in keywords.items() if key in PROVIDERS}
        try:
            _begin({**known, "_official": False})
        except Exception as error:
            logger.error("autogen_streamtrace is off: %s", error)

    def _uninstrument(self, **keywords: Any) -> None:
        uninstrument()


def instrument(**keywords: "Unpack[Keywords]") -> None:
    """Watches every stream of this process from now on. A second call changes nothing.

    Args:
        tracer_provider: where spans go. By default the program's own provider, or, where it has set up none, a new one
            that exports over OTLP as the ``OTEL_*`` variables say.
        meter_provider: the same for metrics.
        logger_provider: the same for log events.
        events: which log events are emitted: ``turns`` (start and end of outermost streams, every early
            ending), ``all`` or ``none``.
        caller_endings: ``error`` gives endings that the reader chose the span status ERROR too.
        recorder: records open streams in a file, so that they survive the process.
        recorder_dir: the directory of that file; by default in the user's state directory.
        stall_after: seconds without an item after which an open stream is reported as stalled.
        max_names: how many distinct values a metric label may have; the rest reads ``_OTHER``.
        limits_file: a TOML file of limits in the form of the catalogue, which may explain endings beside its limits.
        finish_reasons_file: a TOML file with the meaning of your servers' finish reasons, in the form of the built-in
            table: ``done``, ``length``, ``filtered`` and ``failed``, each a list of words.
        baggage: keys of baggage entries that go on spans and events, such as ``tenant,plan``. In a mapping (in the
            environment as JSON), each key has the values that it may have on metrics; every other value reads
            ``_OTHER``.

    Raises:
        SettingError: a setting is unknown, or its value is not allowed.
        CatalogueError: the limits file cannot be used.
        FinishReasonsError: the finish reasons file cannot be used.

    Source: every standard variable of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    _begin(dict(keywords))


def _begin(keywords: dict[str, Any]) -> None:
    instrumentor = Instrumentor()
    if otlp.sdk_disabled() or instrumentor.is_instrumented_by_opentelemetry:
        Plan.of(keywords)
        return
    instrumentor.instrument(**keywords)


def uninstrument() -> None:
    """Restores every original. Streams that are open now are still watched to their end.

    Waits up to 5 seconds until everything recorded is exported, and then leaves nothing behind. Where an event loop
    runs, it does not wait.
    """
    instrumentor = Instrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def flush(timeout: float = FLUSH_TIMEOUT) -> bool:
    """Exports everything recorded so far, also through a program's own providers. Collects metrics twice.

    It blocks; in a coroutine, call it through ``asyncio.to_thread``.

    Args:
        timeout: seconds, at most, for all of it. It takes less where nothing listens at the endpoint.

    Returns:
        Whether everything is exported. True where ``instrument()`` was not called.
    """
    watch = Instrumentor().watch
    return True if watch is None else watch.flush(timeout)
