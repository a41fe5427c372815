"""What the core needs of a flight recorder, which keeps streams where they survive the process."""

from typing import Any, NamedTuple, Protocol

from opentelemetry.trace import Span

from autogen_streamtrace.core.stream.state import Ending, StreamState

Labels = dict[str, Any]


class CounterLabels(NamedTuple):
    """The attribute sets under which the counters have counted one finished stream."""

    started: Labels
    ended: Labels
    cut: Labels | None = None


class Report(NamedTuple):
    """What is reported of a finished stream."""

    span: Span
    attributes: Labels
    """The span's attributes at its end."""
    counted: CounterLabels
    end_ns: int
    contents: Labels
    """The contents of its messages, where they are recorded."""


class Recorder(Protocol):
    """Records every stream where it survives the process. Never raises, never blocks for long."""

    @property
    def busy(self) -> bool:
        """Whether ``copy`` has work though no stream is open."""

    def started(self, state: StreamState) -> None:
        """Records a stream's first read. Its reader calls this."""

    def ended(self, state: StreamState, ending: Ending) -> None:
        """Records that a stream ended for its reader, who calls this."""

    def finished(self, state: StreamState, at: float) -> None:
        """Records that a stream, which had ended for its reader, finished ``at`` this time on ``clock``."""

    def judged(self, state: StreamState, report: Report) -> None:
        """Records a stream's verdict; its span is about to end."""

    def counted(self, counted: CounterLabels) -> None:
        """Records that a stream without a row was counted."""

    def copy(self, now: float) -> None:
        """Copies the progress of the open streams. The watcher calls this."""

    def reset_after_fork(self) -> None:
        """In a forked child: drops what was recorded, which is the parent's."""


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
