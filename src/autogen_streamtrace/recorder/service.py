"""The flight recorder at work in a process: its own recorder, and the recovery of those that have lost their owner."""

import logging
import threading
from typing import Any, Final

from autogen_streamtrace import otlp
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.telemetry.emitter import Telemetry
from autogen_streamtrace.recorder import directory
from autogen_streamtrace.recorder.flight import FlightRecorder, describe
from autogen_streamtrace.recorder.recovery import recover_all
from autogen_streamtrace.settings import Settings

EVERY: Final = 30.0
"""Seconds between two looks for recorders that have lost their owner."""

logger = logging.getLogger("autogen_streamtrace")


class RecorderService:
    """Records this process, and recovers dead ones where the SDK is ours.

    Args:
        settings: of this process.
        providers: where its telemetry goes.
        telemetry: learns of the recorder, and observes it.
    """

    def __init__(self, settings: Settings, providers: otlp.Providers, telemetry: Telemetry) -> None:
        self._chosen = settings.recorder_dir
        self._ours = providers.ours
        kept: dict[str, Any] = settings.model_dump(include={"events", "caller_endings", "max_names", "stall_after"})
        self.recorder = telemetry.recorder = FlightRecorder(
            directory.own(self._chosen),
            lambda: describe(otlp.resource(providers), kept),
            telemetry.counters,
            confirmed="traces" in self._ours,
        )
        self._recovered = 0
        telemetry.observe(
            sc.M_DROPPED, "{stream}", "Streams that could not be recorded.", lambda: self.recorder.dropped
        )
        telemetry.observe(sc.M_RECOVERED, "{stream}", "Streams of dead processes, told.", lambda: self._recovered)
        telemetry.observe_state(
            sc.M_RECORDER, "The flight recorder: 0 off, 1 recording, 2 failing.", lambda: self.recorder.state
        )
        otlp.arrivals.append(self.recorder.exported)
        self.start()

    def start(self) -> None:
        """Starts the thread that recovers; in a forked child, once more."""
        self._recovered = 0
        self._stopped = threading.Event()
        if len(self._ours) == len(otlp.SIGNALS):
            threading.Thread(target=self._work, name="autogen-streamtrace-recovery", daemon=True).start()

    def stop(self) -> None:
        """Recovers no more."""
        self._stopped.set()

    def retire(self) -> None:
        """Removes the recorder as soon as all that stands in it is safe."""
        self.recorder.retire()

    def finish(self, *, safe: bool) -> None:
        """The process ends."""
        self.stop()
        self.recorder.finish(safe)

    def _work(self) -> None:
        stopped = self._stopped
        while True:
            with contained("recovering the streams of dead processes"):
                self._recover(stopped)
            if stopped.wait(EVERY):
                return

    def _recover(self, stopped: threading.Event) -> None:
        for path, found in recover_all(otlp.send, self._chosen):
            if found is not None and found.streams:
                self._recovered += found.streams
                logger.info("Recovered %s of process %s (%s)", _streams(found.streams), found.orphan.pid, path)
            if stopped.is_set():
                return


def _streams(count: int) -> str:
    return f"{count} stream{'' if count == 1 else 's'}"
