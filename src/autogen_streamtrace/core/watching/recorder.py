"""What the core asks of a flight recorder: what stands in it survives the process."""

from typing import Any, NamedTuple, Protocol

from opentelemetry.trace import Span

from autogen_streamtrace.core.stream.state import Ending, StreamState

Labels = dict[str, Any]


class CounterLabels(NamedTuple):
    """What one stream that is over has added to the counters: the attribute set in each."""

    started: Labels
    ended: Labels
    cut: Labels | None = None


class Report(NamedTuple):
    """What is said of a stream that is over."""

    span: Span
    attributes: Labels
    """The span's, at its end."""
    counted: CounterLabels
    end_ns: int


class Recorder(Protocol):
    """Keeps what is known of every stream where it survives the process. Never raises, never blocks for long."""

    @property
    def busy(self) -> bool:
        """There is something to do for ``copy`` though no stream is open."""

    def started(self, state: StreamState) -> None:
        """A stream was read for the first time. Called by its reader."""

    def ended(self, state: StreamState, ending: Ending) -> None:
        """It ended for its reader. Called by that one."""

    def finished(self, state: StreamState, at: float) -> None:
        """It really ended at ``at`` on the records' clock, having ended for its reader before."""

    def judged(self, state: StreamState, report: Report) -> None:
        """Its verdict has fallen; its span is about to end."""

    def counted(self, counted: CounterLabels) -> None:
        """A stream that has no row was counted."""

    def copy(self, now: float) -> None:
        """Copies the progress of the open streams; called by the watcher."""

    def reset_after_fork(self) -> None:
        """In a forked child: what was recorded is the parent's."""


class NotRecording:
    """No recorder."""

    busy = False

    def started(self, state: StreamState) -> None:
        pass

    def ended(self, state: StreamState, ending: Ending) -> None:
        pass

    def finished(self, state: StreamState, at: float) -> None:
        pass

    def judged(self, state: StreamState, report: Report) -> None:
        pass

    def counted(self, counted: CounterLabels) -> None:
        pass

    def copy(self, now: float) -> None:
        pass

    def reset_after_fork(self) -> None:
        pass
