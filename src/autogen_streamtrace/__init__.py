"""Says how each AutoGen stream ended, who ended it, what it was waiting for, and which limit explains it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from autogen_streamtrace.commands.audit.look import audit
    from autogen_streamtrace.commands.audit.timeouts import Audit
    from autogen_streamtrace.core.open_streams import OpenStream
    from autogen_streamtrace.instrumentor import Instrumentor, flush, instrument, uninstrument
    from autogen_streamtrace.settings import SettingError
    from autogen_streamtrace.streams import ASGIMiddleware, open_streams, trace_stream

__all__ = [
    "ASGIMiddleware",
    "Audit",
    "Instrumentor",
    "OpenStream",
    "SettingError",
    "audit",
    "flush",
    "instrument",
    "open_streams",
    "trace_stream",
    "uninstrument",
]

_HOMES: Final = {
    "commands.audit.look": ("audit",),
    "commands.audit.timeouts": ("Audit",),
    "core.open_streams": ("OpenStream",),
    "instrumentor": ("Instrumentor", "flush", "instrument", "uninstrument"),
    "settings": ("SettingError",),
    "streams": ("ASGIMiddleware", "open_streams", "trace_stream"),
}
"""The module of each public name. A module is imported when one of its names is first used (PEP 562)."""

if not TYPE_CHECKING:  # a type checker would otherwise accept any name

    def __getattr__(name: str) -> Any:
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
