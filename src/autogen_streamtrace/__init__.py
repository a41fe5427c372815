"""Says how each AutoGen stream ended, who ended it, what it was waiting for, and which limit explains it."""

from .audits import Audit, audit
from .core.ledger import OpenStream
from .instrumentor import ASGIMiddleware, Instrumentor, instrument, open_streams, trace_stream, uninstrument
from .settings import SettingError

__all__ = [
<<<<<<< HEAD
    "ASGIMiddleware",
=======
    "Audit",
>>>>>>> 8a6a379 (Audit every timeout of a program, layer by layer)
    "Instrumentor",
    "OpenStream",
    "SettingError",
    "audit",
    "instrument",
    "open_streams",
    "trace_stream",
    "uninstrument",
]
