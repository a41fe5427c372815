"""What watches this process now.

It has a module of its own, so that a program that never calls ``instrument()`` imports nothing else.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autogen_streamtrace.core.tracker import StreamTracker

tracker: "StreamTracker | None" = None
"""Set by ``instrument()`` and ``uninstrument()``."""
