"""How a ``ResponseStream`` is watched: its object stays, and its class becomes a subclass that reads it for a tap.

The subclass has copies of the other methods. CPython fits a method's code to the class of its objects, and starts anew
when it meets objects of two classes in turn (PEP 659), as it would with watched and other streams in one turn. That
costs more than the reading does.
"""

from collections.abc import Callable
from functools import partial, update_wrapper
from types import FunctionType
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core.tap import Reading

_READINGS: Final = "_streamtrace_readings"


class _Watched(NamedTuple):
    """How the streams of a class are watched."""

    members: tuple[Any, ...]
    """What the class consisted of."""
    subclass: type
    step: Any
    """Reads the next item of such a stream."""


_classes: Final[dict[type, _Watched]] = {}


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
    members = tuple(vars(cls).values())
    watched = _classes.get(cls)
    if watched is None or watched.members != members:  # a program may have replaced a method
        watched = _classes[cls] = _Watched(members, _subclass(cls), _copied(cls.__anext__))
    reading.step = watched.step
    stream.__class__ = watched.subclass
    attributes[_READINGS] = [reading]


def _copied(method: Any) -> Any:
    """The method with code of its own, where it is written in Python."""
    if not isinstance(method, FunctionType):
        return method
    code = method.__code__.replace()
    copy = FunctionType(code, method.__globals__, method.__name__, method.__defaults__, method.__closure__)
    copy.__kwdefaults__ = method.__kwdefaults__
    return update_wrapper(copy, method)


def _subclass(cls: type) -> type:
    """A subclass of a class of streams, with the name of its base. It reads or ends a stream for the tap."""
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
    copies = {name: _copied(method) for name, method in vars(cls).items() if isinstance(method, FunctionType)}
    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {**copies, **named, **found})


class _Awaited:
    """What ``__await__`` returned, to be awaited."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Any) -> None:
        self._steps = steps

    def __await__(self) -> Any:
        return self._steps
