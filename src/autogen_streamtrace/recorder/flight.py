"""The recorder of this process: each stream is written where it survives the process.

Every stream has a row in a file. The reader of a stream writes the row when the stream starts and when it ends, with
one ``pwrite`` each. The judging thread writes the verdict. The watcher copies the progress of open streams in each
round. So whatever kills the process, the file says what was known of each stream.

A row goes through these states:

    free      it holds no stream                            until ``started``
    open      its stream is not judged yet                  until ``judged``
    waiting   judged, but its span is not exported yet      until ``exported``
    retiring  its span is exported, or will never be        until ``_retire`` has written the counters' file

The counters' file holds the sums of all retired streams; the rows that are not retired add to them. Each row says from
which counters' file on it is retired. So no stream is counted twice or lost, whenever the process dies.

The recorder *rests* while the file is not needed: all streams are reported, and the file is removed. The next stream
makes a new one. When a file fails (removed, replaced, disk full), a new file with every open stream replaces it.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Any, Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.telemetry.counters import Counters
from autogen_streamtrace.core.telemetry.counts import Counter
from autogen_streamtrace.core.watching.recorder import CounterLabels, Report
from autogen_streamtrace.core.watching.supervision import process as supervision
from autogen_streamtrace.recorder import layout
from autogen_streamtrace.recorder.current_file import CurrentFile
from autogen_streamtrace.recorder.rows import Rows
from autogen_streamtrace.recorder.rows.contents import ids_of, verdict_of

OFF, RECORDING, FAILING = 0, 1, 2

_RETIRE: Final = 1.0
"""Seconds between two times at which rows retire."""
_CHECK: Final = 1.0
"""Seconds between two checks of the file."""
_RENEW: Final = 10.0
"""Seconds between two attempts to make a new file."""


class FlightRecorder:
    """Records the streams of this process.

    Args:
        directory: where its file is made.
        describe: returns the process's description for the header: its resource and its settings.
        counters: the process's counters.
        confirmed: ``exported`` is called for every span, so that rows can wait for it.
    """

    def __init__(
        self, directory: Path, describe: Callable[[], dict[str, Any]], counters: Counters, *, confirmed: bool
    ) -> None:
        self._counters = counters
        self._confirmed = confirmed
        self._finished = False
        self._file: Final = CurrentFile(directory, describe, lambda number: self._rows.retired.file(number, counters))
        for table in self._tables:
            table.about_to_show = self.note_shown
        self._reset()
        self._wake()

    def _reset(self) -> None:
        self._lock = Lock()
        """Guards what is retired, and the making of files."""
        self._rows = Rows(self._counters)
        self._retired_at = self._checked_at = self._renewed_at = 0.0
        self._resting = True

    # -- facts, from the tracker and the judge

    @property
    def dropped(self) -> int:
        """Streams, or their verdicts, that could not be recorded."""
        return self._file.dropped

    @property
    def busy(self) -> bool:
        """Rows are retiring, or a stream without a row has to be counted."""
        return not self._resting and self._rows.retiring

    @property
    def state(self) -> int:
        """0: off · 1: recording · 2: failing, what happens now is not recorded."""
        if self._finished:
            return OFF
        return RECORDING if self._resting or (self._file.path is not None and not self._file.failed) else FAILING

    def started(self, state: StreamState) -> None:
        """Writes a new row."""
        if self._finished:
            return
        if self._resting:
            self._wake()
        if not self._rows.take(state):
            self._file.failed = True
            self._file.drop("more streams are open than have room in it")
        elif self._file.postponed or self._write_birth(state):
            if self._resting:  # it may have begun to rest meanwhile, before it could see this stream
                self._wake()
        else:
            self._rows.give_back(state)

    def ended(self, state: StreamState, ending: Ending) -> None:
        """Writes how a stream ended for its reader."""
        if self._rows.holds(state):
            self._file.write(layout.ended(state.serial, state, ending), layout.end_at(state.slot))

    def finished(self, state: StreamState, at: float) -> None:
        """Writes when a stream finished."""
        if self._rows.holds(state):
            self._file.write(layout.finished(state.serial, at), layout.finished_at(state.slot))

    def judged(self, state: StreamState, report: Report) -> None:
        """Writes a verdict. The row then waits until ``exported`` says that its span has arrived."""
        if not self._rows.holds(state):
            self.counted(report.counted)
            return
        context = report.span.get_span_context()
        self._file.write(layout.judged(state.serial, verdict_of(state, report)), layout.end_at(state.slot))
        waits = self._confirmed and report.span.is_recording() and context.trace_flags.sampled
        self._rows.judged(state, report.counted, context.span_id if waits else 0)

    def counted(self, counted: CounterLabels) -> None:
        """Counts a stream that has no row."""
        self._wake()
        with self._lock:
            self._rows.retired.add(counted)
            self._rows.uncounted = True

    def copy(self, now: float) -> None:
        """The watcher's round: copies progress, retires rows and checks the file."""
        if self._file.postponed:
            with self._lock:
                self._begin_file()
        if now - self._checked_at >= _CHECK:
            self._checked_at = now
            self._look_after(now)
        self._copy_progress(now)
        if self.busy and now - self._retired_at >= _RETIRE:
            self._retired_at = now
            self._retire()

    def reset_after_fork(self) -> None:
        """In a forked child: drops the parent's streams. The child makes its own file at its first stream."""
        self._file.reset()
        self._reset()

    # -- facts, from the exporters

    def exported(self, spans: Iterable[int]) -> None:
        """Takes the ids of spans that have arrived."""
        self._rows.exported(spans)

    def event_arrived(self, spans: Iterable[int]) -> None:
        """Takes the ids of spans whose end event has arrived, so that recovery does not send it again."""
        told = self._rows.told(spans)
        if told is not None:
            self._file.write(*told, count=False)

    def note_shown(self) -> None:
        """Notes that attribute sets are about to be exported for the first time: recovery must not export 0 again."""
        with contained("noting what was exported"), self._lock:
            self._file.write_counts()

    # -- the end

    def rest(self, safe: bool) -> None:
        """Removes the file until the next stream, where everything in it is safe.

        Args:
            safe: the last metrics and events have arrived.
        """
        self._retire()
        with self._lock:
            self._resting = safe and self._file.path is not None
            if self._resting and self._rows.used:
                self._resting = False
            if self._resting:
                self._file.close(remove=True)

    def finish(self, safe: bool) -> None:
        """Ends recording; ``safe`` as in ``rest``. What has not arrived stays for a later process to recover."""
        self._finished = True
        self._retire()
        with self._lock:
            self._file.close(remove=safe and not self._rows.used)
        for table in self._tables:
            if table.about_to_show == self.note_shown:
                table.about_to_show = None

    @property
    def _tables(self) -> tuple[Counter, ...]:
        return self._counters.started, self._counters.ended, self._counters.cut

    # -- rows

    def _write_birth(self, state: StreamState) -> bool:
        slot = state.slot
        if slot < 0:  # it was judged meanwhile
            return True
        try:
            birth = layout.birth(state, state.serial, self._rows.serial_of(state.parent), ids_of(state))
        except ValueError as error:
            self._file.drop(str(error))
            return False
        return self._file.write(birth, layout.row_at(slot))

    def _copy_progress(self, now: float) -> None:
        states = self._rows.open
        progress = self._rows.slots.progress(states)
        if progress is not None:
            self._file.write(*progress, count=False, again=True)
        if states:
            pulse = layout.pulse(now, time.time_ns(), supervision.timers)
            self._file.write(pulse, layout.PULSE_AT, count=False, again=True)

    def _retire(self) -> None:
        """Adds the retiring rows to the counters' file, and makes them free."""
        with self._lock:
            self._file.dropped += self._rows.retire_oldest()
            batch = self._rows.count_retiring()
            if batch:
                self._file.write(*self._rows.retired_in(batch, self._file.number + 1), count=False)
            if self._file.write_counts():
                self._rows.free(batch)
            else:
                self._rows.keep(batch)

    # -- the file

    def _wake(self) -> None:
        """Ends the rest: makes the file, or leaves that to the watcher where the disk is slow."""
        if not self._resting or self._finished:
            return
        with self._lock:
            if self._resting:
                self._rows.slots.prepare()
                self._file.postponed = self._file.slow
                if not self._file.postponed:
                    self._begin_file()
                self._resting = False

    def _look_after(self, now: float) -> None:
        """Replaces the file where it is in trouble."""
        if self._resting or self._finished:
            return
        trouble = self._file.trouble()
        if trouble:
            if now - self._renewed_at >= _RENEW:
                self._renewed_at = now
                self._file.complain(trouble)
                self._renew()
            return
        if self._file.failed:
            self._file.failed = not self._has_room()
        self._file.write_header()

    def _has_room(self) -> bool:
        """Whether a row and the counters can be written."""
        slot = self._rows.slots.take()
        if slot < 0:
            return False
        try:
            if not self._file.write(bytes(layout.ROW_SIZE), layout.row_at(slot), count=False):
                return False
        finally:
            self._rows.slots.give_back(slot)
        with self._lock:
            return self._file.write_counts()

    def _renew(self) -> None:
        """Replaces the file by one with every open stream. The rows that waited count as retired."""
        with self._lock:
            if self._resting or self._finished:
                return
            self._file.dropped += self._rows.drop_judged()
            self._file.close(remove=True)
            self._begin_file()

    def _begin_file(self) -> None:
        """Makes a file with every open stream."""
        if self._file.open():
            for state in self._rows.open:
                self._write_birth(state)
                self._rows.slots.copy_again(state.slot)
