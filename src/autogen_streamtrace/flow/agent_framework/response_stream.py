"""How a ``ResponseStream`` is watched: its object stays, and its class becomes a subclass that reads it for a tap."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

from autogen_streamtrace.core.tap import Reading

_READINGS: Final = "_streamtrace_readings"


def is_stream(thing: Any) -> bool:
    """Whether it is a stream that has a final response. The class may be a relative of `ResponseStream`."""
    return hasattr(type(thing), "__anext__") and hasattr(type(thing), "get_final_response")


def watch(stream: Any, reading: Reading) -> None:
    """Watches ``stream``. Where one object is the stream of two layers, the inner one is given first.

    Raises:
        TypeError: the class of ``stream`` cannot be replaced.
    """
    attributes = vars(stream)
    readings = attributes.get(_READINGS)
    if readings is not None:
        reading.step = readings[-1].item
        readings.append(reading)
        return
    cls: Any = type(stream)
    reading.step = cls.__anext__
    stream.__class__ = _watched(cls)
    attributes[_READINGS] = [reading]


@lru_cache(maxsize=64)
def _watched(cls: type) -> type:
    """A subclass of a class of streams. It has the name of its base, and only the methods that read or end a stream."""
    base: Any = cls
    finalizer = getattr(cls, "__del__", None)

    def through(stream: Any, method: Callable[..., Any], how: Callable[[Reading, Any], Any]) -> Any:
        for reading in vars(stream)[_READINGS]:
            if not reading.over:
                method = partial(how, reading, method)
        return method()

    def __anext__(self: Any) -> Any:
        return self.__dict__[_READINGS][-1].item(self)

    def __await__(self: Any) -> Any:
        return through(self, lambda: _Awaited(base.__await__(self)), Reading.ready).__await__()

    async def get_final_response(self: Any) -> Any:
        return await through(self, partial(base.get_final_response, self), Reading.rest)

    async def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await through(self, partial(base.close, self, *args, **kwargs), Reading.close)

    def __del__(self: Any) -> None:
        for reading in vars(self)[_READINGS]:
            if not reading.over:
                reading.dropped()
        if finalizer is not None:
            finalizer(self)

    methods: dict[str, Any] = {"__anext__": __anext__, "__await__": __await__, "__del__": __del__}
    methods |= {"get_final_response": get_final_response, "close": close}
    found = {name: method for name, method in methods.items() if name == "__del__" or hasattr(base, name)}
    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {**named, **found})


class _Awaited:
    """What ``__await__`` returned, to be awaited."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Any) -> None:
        self._steps = steps

    def __await__(self) -> Any:
        return self._steps
