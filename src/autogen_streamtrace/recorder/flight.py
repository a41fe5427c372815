"""The recorder of this process: what is known of each stream, written where it survives the process.

The reader of a stream writes its row when it starts and when it ends, one ``pwrite`` each; the thread that judges
writes its verdict; the watcher copies the progress. A row stays until its span has been exported. What has left is
counted in a file of its own, so that the counters are the sum of that file and of the rows that it does not count yet.
"""

import heapq
import itertools
import logging
import os
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Any, Final

from opentelemetry.trace import get_current_span

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.telemetry.counters import Counters, cut_labels, ended_labels
from autogen_streamtrace.core.telemetry.counts import Counter
from autogen_streamtrace.core.telemetry.limiters import Attributes
from autogen_streamtrace.core.watching.recorder import CounterLabels, Report
from autogen_streamtrace.core.watching.supervision import process as supervision
from autogen_streamtrace.recorder import layout
from autogen_streamtrace.recorder.file import File
from autogen_streamtrace.recorder.retired_counts import RetiredCounts

OFF, RECORDING, FAILING = 0, 1, 2

_LEAVE: Final = 1.0
"""Seconds between two times at which rows leave."""
_CHECK: Final = 1.0
"""Seconds between two looks at what has become of the file."""
_RENEW: Final = 10.0
"""Seconds between two attempts to begin a new file."""
_KEPT: Final = layout.ROWS // 2
"""Rows at most that wait for an export; the oldest make room."""

logger = logging.getLogger(__name__)


class FlightRecorder:
    """Records the streams of this process.

    Args:
        directory: where its file is made.
        describe: the process, as it stands in the header: its resource and its settings.
        counters: its counters.
        confirmed: ``exported`` is called for every span, so that a row stays until then.
    """

    def __init__(
        self, directory: Path, describe: Callable[[], dict[str, Any]], counters: Counters, *, confirmed: bool
    ) -> None:
        self._directory = directory
        self._describe = describe
        self._counters = counters
        self._confirmed = confirmed
        self._warned = False
        self._over = False
        self.dropped = 0
        """Streams, or their verdicts, that could not be recorded."""
        self._slow = False
        """The disk was slow when the last file was closed."""
        self._file: File | None = None
        for table in self._tables:
            table.about_to_show = self.note_shown
        self._reset()
        self._wake()

    def _reset(self) -> None:
        self._books = Lock()
        """Over what has left."""
        self._records: dict[int, StreamState] = {}
        self._free: list[int] = []
        self._unused = itertools.count()
        self._serial = itertools.count(1)
        self._serials = array("Q")
        self._copied = array("d")
        self._image = bytearray()
        self._counted: dict[int, CounterLabels] = {}
        self._waiting: dict[int, int] = {}
        self._leaving: deque[int] = deque()
        self._departed = RetiredCounts.so_far(self._counters)
        self._uncounted = False
        self._state = 0
        self._left_at = self._checked_at = self._renewed_at = 0.0
        self._size = 0
        self._described: dict[str, Any] = {}
        self._failed = False
        self._resting = True
        """There is no file, for nothing has to stand in one; the next stream begins it."""
        self._due = False
        """The watcher is to begin it, since the disk is slow."""

    # -- told by the tracker

    @property
    def busy(self) -> bool:
        """Rows wait to leave, or what has no row waits to be counted."""
        return not self._resting and (bool(self._leaving) or self._uncounted)

    @property
    def state(self) -> int:
        """0: off · 1: recording · 2: what is told now is not recorded."""
        if self._over:
            return OFF
        return RECORDING if self._resting or (self._file is not None and not self._failed) else FAILING

    def started(self, state: StreamState) -> None:
        """Writes a new row."""
        if self._over:
            return
        self._wake()
        slot = self._take()
        if slot < 0:
            self._failed = True
            self._fail("more streams are open than have room in it")
            return
        serial = next(self._serial)
        self._serials[slot] = serial
        state.slot = slot
        self._copied[slot] = state.asked + state.last
        self._records[slot] = state
        if self._due or self._write_birth(state, serial):
            self._wake()  # it may have begun to rest meanwhile, before it could see this one
        else:
            del self._records[slot]
            state.slot = -1
            heapq.heappush(self._free, slot)

    def ended(self, state: StreamState, ending: Ending) -> None:
        """Writes how a stream ended for its reader."""
        slot = state.slot
        if slot >= 0 and self._records.get(slot) is state:
            self._write(layout.ended(self._serials[slot], state, ending), layout.end_at(slot))

    def finished(self, state: StreamState, at: float) -> None:
        """Writes when it really ended."""
        slot = state.slot
        if slot >= 0 and self._records.get(slot) is state:
            self._write(layout.finished(self._serials[slot], at), layout.finished_at(slot))

    def judged(self, state: StreamState, report: Report) -> None:
        """Writes a verdict; the row stays until ``exported`` says that its span is safe."""
        slot = state.slot
        if slot < 0 or self._records.get(slot) is not state:
            self.counted(report.counted)
            return
        context = report.span.get_span_context()
        verdict = layout.Judged(context.span_id, report.end_ns, report.attributes, *_capped(state, report))
        self._write(layout.judged(self._serials[slot], state, verdict), layout.end_at(slot))
        self._counted[slot] = report.counted
        del self._records[slot]
        state.slot = -1
        if self._confirmed and report.span.is_recording() and context.trace_flags.sampled:
            self._waiting[context.span_id] = slot
        else:
            self._leaving.append(slot)

    def counted(self, counted: CounterLabels) -> None:
        """Counts a stream that has no row."""
        self._wake()
        with self._books:
            self._departed.add(counted)
            self._uncounted = True

    def copy(self, now: float) -> None:
        """Copies what has changed since the last time; lets rows leave; looks after the file."""
        if self._due:
            self._begin_late()
        if now - self._checked_at >= _CHECK:
            self._checked_at = now
            self._look_after(now)
        self._copy_progress(now)
        if self.busy and now - self._left_at >= _LEAVE:
            self._left_at = now
            self._leave()

    def reset_after_fork(self) -> None:
        """In a child: closes the parent's file, whose lock would last as long as this process.

        The child begins its own at its first stream.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
        self.dropped = 0
        self._reset()

    # -- told by the exporters

    def exported(self, spans: Iterable[int]) -> None:
        """Spans with these ids have arrived."""
        for span in spans:
            slot = self._waiting.pop(span, None)
            if slot is not None:
                self._leaving.append(slot)

    def event_arrived(self, spans: Iterable[int]) -> None:
        """The events of these spans' ends have arrived: who recovers their rows must not send them again."""
        for span in spans:
            slot = self._waiting.get(span)
            if slot is not None:
                self._write(layout.told(self._serials[slot]), layout.told_at(slot), count=False)

    def note_shown(self) -> None:
        """Attribute sets are about to be exported for the first time: who recovers them must not begin at 0 again."""
        with contained("noting what was exported"), self._books:
            self._write_counts()

    # -- the end

    def rest(self, safe: bool) -> None:
        """Removes the file where all that stands in it is safe, until the next stream.

        Args:
            safe: the last metrics and events have arrived.
        """
        self._leave()
        with self._books:
            self._resting = safe and self._file is not None
            if self._resting and self._holds_something:
                self._resting = False
            if self._resting:
                self._close(remove=True)

    def finish(self, safe: bool) -> None:
        """Nothing is recorded any more; ``safe`` as in ``rest``. What has not arrived is left to a later process."""
        self._over = True
        self._leave()
        with self._books:
            self._close(remove=safe and not self._holds_something)
        for table in self._tables:
            if table.about_to_show == self.note_shown:
                table.about_to_show = None

    @property
    def _tables(self) -> tuple[Counter, ...]:
        return self._counters.started, self._counters.ended, self._counters.cut

    @property
    def _holds_something(self) -> bool:
        return bool(self._waiting or self._records or self._leaving)

    def _close(self, *, remove: bool) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._slow = file.slow
            if remove:
                file.remove()
            file.close()

    def _wake(self) -> None:
        """Begins the file, where there is none yet."""
        if not self._resting or self._over:
            return
        with self._books:
            if self._resting:
                if not self._serials:  # a forked child needs none before its first stream
                    self._serials.frombytes(bytes(8 * layout.ROWS))
                    self._copied.frombytes(bytes(8 * layout.ROWS))
                self._resting = False
                self._due = self._slow
                if not self._due:
                    self._begin_file()

    # -- rows

    def _take(self) -> int:
        """The lowest free row, so that the file stays small; -1 where there is none."""
        try:
            return heapq.heappop(self._free)
        except IndexError:
            slot = next(self._unused)
            return slot if slot < layout.ROWS else -1

    def _write_birth(self, state: StreamState, serial: int) -> bool:
        try:
            birth = self._birth(state, serial)
        except ValueError as error:
            self._fail(str(error))
            return False
        return self._write(birth, layout.row_at(state.slot))

    def _birth(self, state: StreamState, serial: int) -> bytes:
        parent = state.parent
        above = self._serials[parent.slot] if parent is not None and parent.slot >= 0 else 0
        if above == 0 and parent is not None:
            above = layout.UNKNOWN
        return layout.birth(state, serial, above, _ids(state))

    def _copy_progress(self, now: float) -> None:
        copied, serials = self._copied, self._serials
        records = list(self._records.values())
        changed = [each for each in records if each.asked + each.last != copied[each.slot]]
        slots = []
        for state in changed:
            slot = state.slot
            if slot < 0:  # its verdict fell meanwhile
                continue
            slots.append(slot)
            copied[slot] = state.asked + state.last
            missing = (slot + 1) * layout.PROGRESS_SIZE - len(self._image)
            if missing > 0:
                self._image.extend(bytes(missing))
            layout.write_progress(self._image, slot, serials[slot], state)
        if slots:
            first, last = min(slots) * layout.PROGRESS_SIZE, (max(slots) + 1) * layout.PROGRESS_SIZE
            progress = bytes(memoryview(self._image)[first:last])
            self._write(progress, layout.PROGRESS_AT + first, count=False, again=True)
        if records:
            self._write(layout.pulse(now, time.time_ns(), supervision.timers), layout.PULSE_AT, count=False, again=True)

    def _leave(self) -> None:
        with self._books:
            for _ in range(len(self._waiting) - _KEPT):
                self._leaving.append(self._waiting.pop(next(iter(self._waiting))))
                self.dropped += 1
            batch = [self._leaving.popleft() for _ in range(len(self._leaving))]
            for slot in batch:
                self._write(layout.retired(self._serials[slot], self._state + 1), layout.retired_at(slot), count=False)
                self._departed.add(self._counted[slot])
            if self._write_counts():
                self._uncounted = False
                for slot in batch:
                    del self._counted[slot]
                    heapq.heappush(self._free, slot)
            else:
                for slot in batch:
                    self._departed.add(self._counted[slot], -1)
                self._leaving.extend(batch)

    # -- the file

    def _open_file(self) -> None:
        self._failed = False
        file = None
        try:
            self._described = self._describe()
            file = File(self._directory, layout.header(self._described))
            file.write_counts(self._departed.file(self._state, self._counters))
            self._file = file
        except OSError as error:
            self._file = None
            if file is not None:  # without its counters nobody could recover it
                file.remove()
                file.close()
            self._complain(str(error))
        self._size = layout.HEADER_SIZE if self._file is None else 0

    def _look_after(self, now: float) -> None:
        file = self._file  # who ends it does so in another thread
        if self._resting or self._over:
            return
        trouble = "there is no file" if file is None else file.trouble(self._size)
        if trouble:
            if now - self._renewed_at >= _RENEW:
                self._renewed_at = now
                self._complain(trouble)
                self._renew()
            return
        if self._failed:
            self._failed = not self._has_room()
        described = self._describe()
        if described != self._described:  # a child's resource changes after its fork
            self._described = described
            self._write(layout.header(described), 0, count=False)

    def _has_room(self) -> bool:
        """A row could be written, and the counters."""
        slot = self._take()
        if slot < 0:
            return False
        try:
            if not self._write(bytes(layout.ROW_SIZE), layout.row_at(slot), count=False):
                return False
        finally:
            heapq.heappush(self._free, slot)
        with self._books:
            return self._write_counts()

    def _renew(self) -> None:
        """Begins a new file with every stream that is open; what waited for its export is counted as left."""
        with self._books:
            if self._resting or self._over:
                return
            for slot in [*self._waiting.values(), *self._leaving]:
                self._departed.add(self._counted.pop(slot))
                heapq.heappush(self._free, slot)
                self.dropped += 1
            self._waiting.clear()
            self._leaving.clear()
            self._close(remove=True)
            self._begin_file()

    def _begin_late(self) -> None:
        """On the watcher's thread: what starts meanwhile is written by whoever comes last."""
        with self._books:
            written = self._begin_file()
            self._due = False
        for slot, state in list(self._records.items()):
            if state not in written:
                self._write_birth(state, self._serials[slot])

    def _begin_file(self) -> set[StreamState]:
        """Makes a file, with every stream that is open; returns these."""
        self._open_file()
        if self._file is None:
            return set()
        records = list(self._records.items())
        for slot, state in records:
            self._write_birth(state, self._serials[slot])
            self._copied[slot] = 0.0
        return {state for _, state in records}

    def _write_counts(self) -> bool:
        file = self._file
        if file is None:
            return False
        try:
            file.write_counts(self._departed.file(self._state + 1, self._counters))
        except OSError as error:
            self._failed = True
            self._complain(str(error))
            return False
        self._state += 1
        return True

    def _write(self, data: bytes, at: int, *, count: bool = True, again: bool = False) -> bool:
        file = self._file
        if self._due:  # whoever makes the file writes it
            return True
        try:
            if file is None:
                raise OSError("there is no file")
            file.write(data, at, again=again)
        except OSError as error:
            self._failed = True
            if count:
                self._fail(str(error))
            else:
                self._complain(str(error))
            return False
        if at + len(data) > self._size:
            self._size = at + len(data)
        return True

    def _fail(self, why: str) -> None:
        self.dropped += 1
        self._complain(why)

    def _complain(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "The flight recorder in %s cannot record all streams: %s. They go on; those that would be lost with"
                " this process are counted in %s. Set AUTOGEN_STREAMTRACE_RECORDER_DIR to a directory on a disk with"
                " room, or AUTOGEN_STREAMTRACE_RECORDER to false. This warning appears once.",
                self._directory,
                why,
                sc.M_DROPPED,
            )


def _capped(state: StreamState, report: Report) -> tuple[Attributes, Attributes]:
    """What the labels of ``ended`` and ``cut`` say otherwise than the span's attributes."""
    ended, cut = ended_labels(state.labels, report.attributes), cut_labels(state.labels, report.attributes)
    counted = report.counted
    return _changed(ended, counted.ended), _changed(cut, counted.cut) if counted.cut is not None else {}


def _changed(plain: Attributes, counted: Attributes) -> Attributes:
    return {key: value for key, value in counted.items() if plain[key] != value}


def _ids(state: StreamState) -> layout.Ids:
    if state.context is not None:  # its span is started at its end
        above = get_current_span(state.context).get_span_context()
        return layout.Ids(above.trace_id, 0, above.span_id, above.trace_flags.sampled)
    context = state.span.get_span_context()
    parent = getattr(state.span, "parent", None)
    return layout.Ids(
        context.trace_id, context.span_id, parent.span_id if parent is not None else 0, context.trace_flags.sampled
    )


def describe(resource: Any, settings: Attributes) -> dict[str, Any]:
    """A process as its header says it: whose telemetry it sends, and how it was set."""
    attributes = getattr(resource, "attributes", None) or {}
    return {
        "pid": os.getpid(),
        "resource": {key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()},
        "schema_url": getattr(resource, "schema_url", "") or "",
        "settings": settings,
    }
