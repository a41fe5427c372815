"""The flight recorder in a process: it records this process, and recovers the recorders of dead ones."""

import json
import logging
import os
import threading
from typing import Any, Final

from autogen_streamtrace import otlp
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons, Meaning
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.recorder import directory, file
from autogen_streamtrace.recorder.flight import OFF, FlightRecorder
from autogen_streamtrace.recorder.recovery import recover_all
from autogen_streamtrace.settings import Settings

_RECORDED: Final = ("events", "caller_endings", "max_names", "stall_after")
"""The settings that the recovery of this process needs."""
_ROOM_FOR_REASONS: Final = 8192
"""Bytes of the header for finish reasons of the user's own."""
EVERY: Final = 30.0
"""Seconds between two searches for recorders of dead processes."""
AT_LEAST: Final = 2.0
"""Seconds between two searches where the process forks often."""

logger = logging.getLogger(__name__)


class RecorderService:
    """Records this process, and recovers dead processes of the same service where the SDK is ours.

    Args:
        settings: of this process.
        providers: where its telemetry goes.
        telemetry: observes the recorder.
        reasons: what finish reasons mean in this process.

    Raises:
        UnusableError: no recorder can work here.
    """

    def __init__(
        self, settings: Settings, providers: otlp.Providers, telemetry: Telemetry, reasons: FinishReasons
    ) -> None:
        own = directory.own(settings.recorder_dir)
        file.check_locks()
        self._chosen = settings.recorder_dir
        self._providers = providers
        self._settings: dict[str, Any] = {
            **{name: getattr(settings, name) for name in _RECORDED},
            "baggage": [*settings.baggage],
            "finish_reasons": _that_fit(reasons.own),
        }
        self._recovered = 0
        self._stopped, self._wake = threading.Event(), threading.Event()
        confirmed = "traces" in providers.ours and "traces" in otlp.endpoints()  # else nobody says what has arrived
        self.recorder = FlightRecorder(own, self._describe, telemetry.counters, confirmed=confirmed)
        telemetry.observe(sc.M_RECOVERED, "{stream}", "Recovered streams of dead processes.", lambda: self._recovered)
        telemetry.observe_state(sc.M_RECORDER, _STATES, lambda: self.recorder.state)
        otlp.arrivals.append(self.recorder.exported)
        otlp.event_arrivals.append(self.recorder.event_arrived)

    @classmethod
    def where_possible(
        cls, settings: Settings, providers: otlp.Providers, telemetry: Telemetry, reasons: FinishReasons
    ) -> "RecorderService | None":
        """A recorder; None and a warning where none can work."""
        try:
            return cls(settings, providers, telemetry, reasons)
        except directory.UnusableError as error:
            telemetry.observe_state(sc.M_RECORDER, _STATES, lambda: OFF)
            logger.warning(
                "The flight recorder is off: %s. Streams that are open when this process dies are lost. Set"
                " AUTOGEN_STREAMTRACE_RECORDER_DIR to a directory of this user's, or AUTOGEN_STREAMTRACE_RECORDER to"
                " false.",
                error,
            )
            return None

    def start(self) -> None:
        """Starts the thread that recovers; a forked child calls it again."""
        if len(self._providers.ours) == len(otlp.SIGNALS):
            self._recovered = 0
            self._stopped, self._wake = threading.Event(), threading.Event()
            with contained("starting to recover the streams of dead processes"):
                threading.Thread(target=self._work, name="autogen-streamtrace-recovery", daemon=True).start()

    def look_soon(self) -> None:
        """Searches for dead processes soon. A server that forks a worker may be replacing a dead one."""
        self._wake.set()

    def rest(self, *, safe: bool) -> None:
        """Removes the file until the next stream, where everything is ``safe``."""
        self.recorder.rest(safe)

    def finish(self, *, safe: bool) -> None:
        """Ends recording; ``safe`` if everything has arrived."""
        self._stopped.set()
        self._wake.set()
        self.recorder.finish(safe)

    def end(self) -> None:
        """Ends the service."""
        self.finish(safe=True)
        if self.recorder.exported in otlp.arrivals:
            otlp.arrivals.remove(self.recorder.exported)
            otlp.event_arrivals.remove(self.recorder.event_arrived)

    def _describe(self) -> dict[str, Any]:
        """The process: whose telemetry it sends, where to, and how it is set."""
        resource = otlp.resource(self._providers)
        attributes = getattr(resource, "attributes", None) or {}
        return {
            "pid": os.getpid(),
            "resource": {key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()},
            "schema_url": getattr(resource, "schema_url", "") or "",
            "settings": self._settings,
            "endpoints": otlp.endpoints(),
        }

    def _work(self) -> None:
        stopped, wake = self._stopped, self._wake
        while True:
            with contained("recovering the streams of dead processes"):
                self._recover(stopped)
            if stopped.wait(AT_LEAST):
                return
            wake.wait(EVERY - AT_LEAST)
            if stopped.is_set():
                return
            wake.clear()

    def _recover(self, stopped: threading.Event) -> None:
        for path, found in recover_all(otlp.send, self._chosen, self._is_own):
            if found is not None and found.streams:
                self._recovered += found.streams
                logger.info("Recovered %s of process %s (%s)", _streams(found.streams), found.orphan.pid, path)
            if stopped.is_set():
                return

    def _is_own(self, described: dict[str, Any]) -> bool:
        """Whether a recorder is of this process's service, with the same endpoints."""
        return _identity(described) == _identity(self._describe())


_STATES: Final = "The flight recorder: 0 off, 1 recording, 2 failing."
_SERVICE: Final = ("service.name", "service.namespace")


def _identity(described: dict[str, Any]) -> tuple[Any, ...]:
    resource = described.get("resource", {})
    return (*(resource.get(name) for name in _SERVICE), described.get("endpoints"))


def _streams(count: int) -> str:
    return f"{count} stream{'' if count == 1 else 's'}"


def _that_fit(words: dict[str, Meaning]) -> dict[str, Meaning]:
    """As many of the words as the header has room for."""
    room = _ROOM_FOR_REASONS
    kept: dict[str, Meaning] = {}
    for word, meaning in words.items():
        room -= len(json.dumps({word: meaning}))
        if room < 0:
            break
        kept[word] = meaning
    return kept
