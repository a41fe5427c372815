"""Private names of OpenTelemetry's OTLP exporters: the encoders that their methods call."""

from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any, Final

from autogen_streamtrace.neighbours import Private

_COMMON: Final = "opentelemetry-exporter-otlp-proto-common"
_SLOWER: Final = "an export costs more"
ENCODE_SPANS: Final = Private(
    _COMMON, "opentelemetry.exporter.otlp.proto.common.trace_encoder", "encode_spans", _SLOWER
)
ENCODE_LOGS: Final = Private(_COMMON, "opentelemetry.exporter.otlp.proto.common._log_encoder", "encode_logs", _SLOWER)


def replace_encoder(exporter: Any, private: Private, replacement: Callable[[Any], Any]) -> None:
    """Gives one exporter another encoder; others of its class keep theirs.

    Args:
        replacement: takes the exporter's own encoder, and returns the one to use.
    """
    name, found = private.attribute, False
    for method in _methods(type(exporter)):
        if name in method.__code__.co_names and name in method.__globals__:
            names = {**method.__globals__, name: replacement(method.__globals__[name])}
            own = FunctionType(method.__code__, names, method.__name__, method.__defaults__, method.__closure__)
            own.__kwdefaults__ = method.__kwdefaults__
            setattr(exporter, method.__name__, MethodType(own, exporter))
            found = True
    if not found:
        private.lost()


def _methods(cls: type) -> Iterator[FunctionType]:
    """The methods that an instance has, each once."""
    seen: set[str] = set()
    for each in cls.__mro__:
        for name, value in vars(each).items():
            if isinstance(value, FunctionType) and name not in seen:
                yield value
            seen.add(name)
