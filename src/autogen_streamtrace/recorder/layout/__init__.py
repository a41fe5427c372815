"""What lies where in a recorder's file, and how it is read back.

    header    describes the process: its resource and its settings
    pulse     when the process was last seen alive, and which timers of its server ran
    progress  one entry for each row; the watcher copies it
    retired   one mark for each row: from which counters' file on its stream is counted there
    told      one mark for each row: whether the event of its stream's end has arrived
    rows      what is known of each stream: its birth, and its end or its verdict

A *birth* is what is known when a stream starts. A row is *retired* once the counters' file counts its stream. The marks
lie side by side, so that one write notes many rows.

No row, no entry and no mark crosses a page, so a process that dies while it writes leaves the old content or the new
one. Rows are used again, so each part of a row carries the serial number of its stream. A checksum shows whether a part
is whole.
"""

from autogen_streamtrace.recorder.layout.header import (
    Unreadable,
    header,
    pulse,
    read_header,
    read_pulse,
    read_timers,
)
from autogen_streamtrace.recorder.layout.places import (
    HEADER_SIZE,
    MARK_SIZE,
    PROGRESS_AT,
    PROGRESS_SIZE,
    PULSE_AT,
    RETIRED_AT,
    ROW_SIZE,
    ROWS,
    ROWS_AT,
    TOLD_AT,
    VERSION,
    end_at,
    finished_at,
    row_at,
)
from autogen_streamtrace.recorder.layout.row import UNKNOWN, Ids, Judged, Row
from autogen_streamtrace.recorder.layout.row_reading import read_row
from autogen_streamtrace.recorder.layout.row_writing import (
    birth,
    ended,
    finished,
    judged,
    write_mark,
    write_progress,
)

__all__ = [
    "HEADER_SIZE",
    "MARK_SIZE",
    "PROGRESS_AT",
    "PROGRESS_SIZE",
    "PULSE_AT",
    "RETIRED_AT",
    "ROWS",
    "ROWS_AT",
    "ROW_SIZE",
    "TOLD_AT",
    "UNKNOWN",
    "VERSION",
    "Ids",
    "Judged",
    "Row",
    "Unreadable",
    "birth",
    "end_at",
    "ended",
    "finished",
    "finished_at",
    "header",
    "judged",
    "pulse",
    "read_header",
    "read_pulse",
    "read_row",
    "read_timers",
    "row_at",
    "write_mark",
    "write_progress",
]
