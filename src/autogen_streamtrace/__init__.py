"""Says how each AutoGen stream ended, who ended it, what it was waiting for, and which limit explains it."""

from autogen_streamtrace.commands.audit.timeouts import Audit, audit
from autogen_streamtrace.core.tracker import OpenStream
from autogen_streamtrace.instrumentor import (
    ASGIMiddleware,
    Instrumentor,
    instrument,
    open_streams,
    trace_stream,
    uninstrument,
)
from autogen_streamtrace.settings import SettingError

__all__ = [
    "ASGIMiddleware",
    "Audit",
    "Instrumentor",
    "OpenStream",
    "SettingError",
    "audit",
    "instrument",
    "open_streams",
    "trace_stream",
    "uninstrument",
]
