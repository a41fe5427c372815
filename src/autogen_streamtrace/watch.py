"""One watch: from ``instrument()`` to the end of the last stream that it watched.

A watch is built whole or not at all. ``Plan`` first checks everything that may be refused. Then each part is made and
registers how it is removed. ``uninstrument()`` removes the patches of other packages at once, and the rest as soon as
no stream is open any more. A forked child inherits the watch, but has no threads and no file until its first stream:
it may be about to execute another program.
"""

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from autogen_streamtrace import limits, otlp, settings
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import content
from autogen_streamtrace.core.evidence.body import finish_reasons
from autogen_streamtrace.core.process_end import ProcessEnd
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.core.watching.loops import in_event_loop
from autogen_streamtrace.core.watching.recorder import NotRecording
from autogen_streamtrace.flushing import settle_before_flush
from autogen_streamtrace.official import Official
from autogen_streamtrace.patches import Patches
from autogen_streamtrace.recorder.service import RecorderService

FLUSH_TIMEOUT: Final = 5.0
"""Seconds, at most, that the end of a process or of a watch waits for its telemetry."""

PROVIDERS: Final = ("tracer_provider", "meter_provider", "logger_provider")

_live: Final[list["Watch"]] = []
"""The watches that still watch something in this process."""


@dataclass(frozen=True)
class Plan:
    """What to build, already checked."""

    settings: settings.Settings
    limits: tuple[limits.KnownLimit, ...]
    reasons: finish_reasons.FinishReasons
    capture: content.Capture
    providers: dict[str, Any]
    """The providers that were given, by keyword."""
    official: bool
    """Whether the official instrumentations of the HTTP clients are applied too."""

    @classmethod
    def of(cls, keywords: dict[str, Any]) -> "Plan":
        """Reads the keywords of ``instrument()`` and the environment.

        Raises:
            SettingError: a setting is unknown, or its value is not allowed.
            CatalogueError: the limits file cannot be used.
            FinishReasonsError: the finish reasons file cannot be used.
        """
        given = {name: value for name, value in keywords.items() if name in PROVIDERS}
        chosen = {name: value for name, value in keywords.items() if name not in (*PROVIDERS, "_official")}
        loaded = settings.load(**chosen)
        otlp.check(**given)
        known = limits.load(*filter(None, [loaded.limits_file]))
        reasons = finish_reasons.load(*filter(None, [loaded.finish_reasons_file]))
        return cls(loaded, known, reasons, content.capture(os.environ), given, bool(keywords.get("_official", True)))


class Watch:
    """Watches the streams of this process from now on.

    Raises:
        SettingError: an ``OTEL_*`` variable has a value that cannot be used.
        Exception: what a provider of the program's raises. Nothing has changed then.
    """

    def __init__(self, plan: Plan) -> None:
        self._ended = threading.Event()
        self._ending = threading.Lock()
        self._beginning = threading.Lock()
        self._recording: RecorderService | None = None
        with ExitStack() as applied, ExitStack() as kept:
            self._build(plan, applied, kept)
            self._applied, self._kept = applied.pop_all(), kept.pop_all()
        self._install()

    def _build(self, plan: Plan, applied: ExitStack, kept: ExitStack) -> None:
        """Makes every part. ``applied`` removes the patches of other packages, ``kept`` everything else."""
        self._providers = providers = otlp.find_or_make(**plan.providers)
        discard = kept.enter_context(ExitStack())
        discard.callback(otlp.discard, providers)
        loaded = plan.settings
        telemetry = Telemetry(
            providers.tracer_provider,
            providers.meter_provider,
            providers.logger_provider,
            events=loaded.events,
            caller_endings=loaded.caller_endings,
            max_names=loaded.max_names,
            capture=plan.capture,
            baggage=loaded.baggage,
        )
        if loaded.recorder:
            self._recording = RecorderService.where_possible(loaded, providers, telemetry, plan.reasons)
        if self._recording is not None:
            kept.callback(self._recording.end)
        self.tracker = StreamTracker(
            telemetry,
            begin=self._begin,
            leave=self._leave,
            recorder=self._recording.recorder if self._recording is not None else NotRecording(),
            stall_after=loaded.stall_after,
            captures=plan.capture != content.NOWHERE,
            suspect=limits.LimitMatcher(plan.limits).suspect,
            reasons=plan.reasons,
        )
        telemetry.watch(lambda: self.tracker.waiting, self.tracker.oldest, self.tracker.stalled)
        kept.callback(telemetry.leave)
        telemetry.observe(sc.M_DROPPED, "{stream}", "Streams that could not be recorded, or watched.", self._dropped)
        telemetry.observe(sc.M_EXPORT_FAILURES, "{failure}", "Exports that failed.", otlp.export_failures)
        kept.callback(settle_before_flush(providers.by_signal().values(), self.tracker.settle))
        patches = Patches(self.tracker)
        applied.callback(patches.undo)
        if plan.official:
            applied.callback(Official(providers.tracer_provider, providers.meter_provider).undo)
        discard.callback(self.tracker.retire, _nothing)
        self.tracker.start()
        otlp.start_threads()
        discard.pop_all()

    def _install(self) -> None:
        """The steps that cannot fail, some of which cannot be undone."""
        otlp.install(self._providers)
        _begin_anew_after_forks()
        self._process_end = ProcessEnd(self._exit)
        self._kept.callback(self._process_end.cancel)
        _live.append(self)
        if self._recording is not None:
            self._recording.start()

    def _dropped(self) -> int:
        return self.tracker.dropped + (self._recording.recorder.dropped if self._recording is not None else 0)

    def flush(self, timeout: float) -> bool:
        """Exports everything recorded so far within ``timeout`` seconds; returns whether everything is exported."""
        deadline = time.monotonic() + timeout
        settled = self.tracker.settle(timeout)
        flushed = otlp.flush(self._providers, max(0.0, deadline - time.monotonic()))
        return settled and flushed

    def end(self) -> None:
        """Restores everything. Streams that are open are still watched; where none is, the watch ends now.

        That takes up to ``FLUSH_TIMEOUT`` seconds. Where an event loop runs, this method does not wait for it.
        """
        self._applied.close()
        self.tracker.settle(0 if in_event_loop() else FLUSH_TIMEOUT)
        idle = self.tracker.idle
        self.tracker.retire(self._end)
        if idle and not in_event_loop():
            self._ended.wait(FLUSH_TIMEOUT)

    def _end(self) -> None:
        """Ends the watch after its last stream."""
        with self._ending:
            if self not in _live:
                return
            _live.remove(self)
        with contained("ending the watch"), self._kept:
            if self._recording is not None and self._providers.ours:
                otlp.flush(self._providers, FLUSH_TIMEOUT)  # the process goes on, and so do its counters
        self._ended.set()

    def forked(self) -> None:
        """In a forked child: drops the parent's streams."""
        self._beginning = threading.Lock()
        self.tracker.reset_after_fork()
        if self.tracker.retired:
            _live.remove(self)
            self._kept.close()

    def has_forked(self) -> None:
        """In the parent after a fork: the new child may replace one that died."""
        if self._recording is not None:
            self._recording.look_soon()

    def _begin(self) -> None:
        """Called at the first stream of a forked child."""
        with self._beginning:
            otlp.start_threads()
            self.tracker.start()
            if self._recording is not None:
                self._recording.start()

    def _leave(self, timeout: float) -> None:
        """The process may end without ``atexit``: exports everything and removes the recorder's file."""
        flushed = self.flush(timeout)
        if self._recording is not None:
            self._recording.rest(safe=flushed)

    def _exit(self) -> None:
        """Called when the process ends."""
        deadline = time.monotonic() + FLUSH_TIMEOUT
        with contained("ending open streams"):
            self.tracker.finish(FLUSH_TIMEOUT)
        failures = otlp.export_failures()
        with contained("ending the process"):
            otlp.shutdown(self._providers, max(0.1, deadline - time.monotonic()))
        if self._recording is not None:
            self._recording.finish(safe=otlp.export_failures() == failures)


def _nothing() -> None:
    pass


def _forked() -> None:
    for watch in _live:
        with contained("beginning anew after a fork"):
            watch.forked()


def _has_forked() -> None:
    for watch in _live:
        watch.has_forked()


_hooks: Final[list[bool]] = []


def _begin_anew_after_forks() -> None:
    """Call it once there are providers: fork hooks run in order, and the providers' hook sets the child's resource."""
    if not _hooks and hasattr(os, "register_at_fork"):
        _hooks.append(True)
        os.register_at_fork(after_in_child=_forked, after_in_parent=_has_forked)
