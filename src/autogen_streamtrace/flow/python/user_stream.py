"""Layer ``stream``: a stream of the user's own."""

from collections.abc import AsyncIterable
from typing import TypeVar, cast

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core import tap
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tracker import StreamTracker

Item = TypeVar("Item")


def trace(tracker: StreamTracker, source: AsyncIterable[Item], name: str) -> AsyncIterable[Item]:
    """Watches ``source`` on the layer ``stream``."""
    info = StreamInfo(sc.STREAM, name, span_name=f"stream {name}")
    return cast(AsyncIterable[Item], tap.watched(tracker, source, lambda: info))
