"""The only wrappers around a stream or a call.

A tap passes on the same items, exceptions and cancellations, in the same order, and awaits nothing that the program
would not have awaited. It notes in the stream's state what passes, and calls the tracker when the stream starts and
ends. It never judges.

The life of a stream behind a tap:

    created -- first read --> open -- its end for the reader --> ended -- the source is closed --> finished
       |                                                                                              ^
       +-- dropped or closed unread --> never started         most streams end and finish at once ----+

Ended and finished differ where a reader closes a stream whose source takes time to close. The verdict counts from the
moment at which the reader called ``aclose()``.

Context. The source runs with the stream as its current one (``scope.of``), so that streams which it starts become its
children. The reader runs in its own context. The tap switches between the two at every item.
"""

from autogen_streamtrace.core.tap.calls import Entered, call, no_span, opened
from autogen_streamtrace.core.tap.generator import tapped
from autogen_streamtrace.core.tap.in_place import Reading
from autogen_streamtrace.core.tap.items import items
from autogen_streamtrace.core.tap.notes import Note
from autogen_streamtrace.core.tap.openings import Begun, Reader, Unopened, note_whole
from autogen_streamtrace.core.tap.shapes import overheard, watched
from autogen_streamtrace.core.tap.synchronous import iterated

__all__ = [
    "Begun",
    "Entered",
    "Note",
    "Reader",
    "Reading",
    "Unopened",
    "call",
    "items",
    "iterated",
    "no_span",
    "note_whole",
    "opened",
    "overheard",
    "tapped",
    "watched",
]
