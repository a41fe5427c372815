"""Says how each AutoGen stream ended, who ended it, what it was waiting for, and which limit explains it."""

from .audits import Audit, audit
from .core.ledger import OpenStream
from .instrumentor import ASGIMiddleware, Instrumentor, instrument, open_streams, trace_stream, uninstrument
from .settings import SettingError

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
