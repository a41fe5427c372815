"""``instrument()`` and what stands behind it: an OpenTelemetry ``BaseInstrumentor``."""

import atexit
import functools
import logging
import os
from collections.abc import Collection
from multiprocessing.util import Finalize, register_after_fork
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from autogen_streamtrace import applied, limits, otlp, settings
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import content
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flushing import drain_before_flush
from autogen_streamtrace.official import Official
from autogen_streamtrace.patches import Patches
from autogen_streamtrace.recorder.service import RecorderService

logger = logging.getLogger("autogen_streamtrace")

FLUSH_TIMEOUT: Final = 5.0
"""Seconds that the end of the process waits for its telemetry, at most."""

_PROVIDERS: Final = ("tracer_provider", "meter_provider", "logger_provider")


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Watches the streams of AutoGen and of the HTTP clients below it."""

    _watch: "_Watch | None" = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """None that must be there: what is absent is skipped."""
        return ()

    @property
    def watch(self) -> "_Watch | None":
        """What is applied now."""
        return self._watch

    def _instrument(self, **keywords: Any) -> None:
        self._watch = _Watch(keywords)
        applied.tracker = self._watch.tracker

    def _uninstrument(self, **keywords: Any) -> None:
        applied.tracker = None
        if self._watch is not None:
            self._watch.undo()
        self._watch = None


class AutoInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """For ``opentelemetry-instrument``: a wrong setting is logged, since an exception would stop the loader.

    The loader applies the official HTTP instrumentations itself.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None that must be there: what is absent is skipped."""
        return ()

    def _instrument(self, **keywords: Any) -> None:
        known = {key: value for key, value in keywords.items() if key in _PROVIDERS}
        try:
            instrument(**known, _official=False)
        except Exception as error:
            logger.error("autogen_streamtrace is off: %s", error)

    def _uninstrument(self, **keywords: Any) -> None:
        uninstrument()


class _Watch:
    """One application of the instrument."""

    def __init__(self, keywords: dict[str, Any]) -> None:
        chosen = {name: keywords.pop(name, None) for name in _PROVIDERS}
        official = keywords.pop("_official", True)
        loaded = settings.load(**keywords)
        self._providers = otlp.providers(**chosen)
        capture = content.capture(os.environ)
        telemetry = Telemetry(
            self._providers.tracer_provider,
            self._providers.meter_provider,
            self._providers.logger_provider,
            events=loaded.events,
            caller_endings=loaded.caller_endings,
            max_names=loaded.max_names,
            capture=capture,
            baggage=loaded.baggage,
        )
        self._recording = RecorderService(loaded, self._providers, telemetry) if loaded.recorder else None
        self.tracker = StreamTracker(
            telemetry,
            flush=lambda: otlp.flush(self._providers, FLUSH_TIMEOUT),
            recorder=telemetry.recorder,
            stall_after=loaded.stall_after,
            captures=capture != content.NOWHERE,
            suspect=limits.LimitMatcher(limits.load(*filter(None, [loaded.limits_file]))).suspect,
        )
        telemetry.watch(lambda: self.tracker.waiting, self.tracker.oldest, self.tracker.stalled)
        telemetry.observe(sc.M_EXPORT_FAILURES, "{failure}", "Exports that failed.", otlp.export_failures)
        _begin_anew_after_forks()
        self._patches = Patches(self.tracker)
        self._official = Official(self._providers.tracer_provider, self._providers.meter_provider) if official else None
        self.tracker.start()
        self._stop_draining = drain_before_flush(
            self._providers.tracer_provider, self._providers.logger_provider, self.tracker.drain
        )
        self._end_with_process()
        _watches.append(self)

    def undo(self) -> None:
        """Puts everything back. Streams that are open end under this watch."""
        if self._official is not None:
            self._official.undo()
        self._patches.undo()
        self.tracker.retire()
        if self._recording is not None:
            self._recording.stop()
        if self.tracker.idle:
            if self._recording is not None:
                self._recording.retire()
            self._stop_draining()
            atexit.unregister(self._exit)
            _watches.remove(self)

    def forked(self) -> None:
        """In a forked child: the parent's streams are the parent's."""
        self._ended = False
        self.tracker.reset_after_fork()
        self.tracker.start()
        if self._recording is not None:
            self._recording.start()

    def _end_with_process(self) -> None:
        """At ``atexit``, which children of ``multiprocessing`` leave out, and at what they do instead."""
        self._ended = False
        atexit.register(self._exit)
        Finalize(None, self._exit, exitpriority=0)
        register_after_fork(self, lambda watch: Finalize(None, watch._exit, exitpriority=0))

    def _exit(self) -> None:
        if self._ended or self not in _watches:
            return
        self._ended = True
        with contained("ending open streams"):
            self.tracker.finish()
        failures = otlp.export_failures()
        with contained("ending the process"):
            otlp.shutdown(self._providers, FLUSH_TIMEOUT)
        with contained("ending the flight recorder"):
            if self._recording is not None:
                self._recording.finish(safe=otlp.export_failures() == failures)


_watches: list[_Watch] = []


def _forked() -> None:
    for watch in _watches:
        watch.forked()


@functools.cache
def _begin_anew_after_forks() -> None:
    """Called once there are providers: what is registered first runs first, and theirs gives the child its resource."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)


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
        baggage: keys of baggage entries that go on spans and events; as a mapping, each with the values that it
            may have on metrics, where every other value reads ``_OTHER``.

    Raises:
        SettingError: a setting is unknown, or its value is not allowed.
        CatalogueError: the file of limits cannot be used.

    Source: every standard variable of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    instrumentor = Instrumentor()
    if otlp.sdk_disabled() or instrumentor.is_instrumented_by_opentelemetry:
        settings.load(**{name: value for name, value in keywords.items() if name not in (*_PROVIDERS, "_official")})
        return
    instrumentor.instrument(**keywords)


def uninstrument() -> None:
    """Puts every original back. Streams that are open now end under the watch they began with."""
    instrumentor = Instrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
