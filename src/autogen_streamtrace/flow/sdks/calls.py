"""The methods of an SDK that ask a model."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from autogen_streamtrace.core import tap
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.stream.scope import outer_model
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.tracker import StreamTracker

Method = Callable[..., Any]
Describe = Callable[[Any, tuple[Any, ...], dict[str, Any]], StreamInfo | None]
"""Of a client and its arguments: what is known of the stream; None where no model is asked."""


class Call(tap.Entered, ABC):
    """One call, until it is answered."""

    __slots__ = ()

    @abstractmethod
    def answered(self, state: StreamState | None, result: Any) -> Any:
        """What the program gets in place of the result; ``goes_on`` where that is a stream."""


Begin = Callable[[Any, tuple[Any, ...], dict[str, Any]], Call | None]
"""Of a client and its arguments: the call; None where no model is asked."""


def _begun(begin: Begin, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """A call that opens a stream of its own; None where it does not ask a model, or is a part of another call."""
    if outer_model() is not None:
        return None
    with contained("reading an SDK's request"):
        return begin(client, args, kwargs)
    return None


def asynchronous(begin: Begin) -> Callable[[Method], Method]:
    """How an asynchronous method is replaced."""

    def make(original: Method) -> Method:
        @functools.wraps(original)
        async def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
            call = _begun(begin, self, args, kwargs)
            if call is None:
                return await original(self, *args, **kwargs)
            with call as state:
                return call.answered(state, await original(self, *args, **kwargs))

        return ask

    return make


def synchronous(begin: Begin) -> Callable[[Method], Method]:
    """How a synchronous method is replaced."""

    def make(original: Method) -> Method:
        @functools.wraps(original)
        def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
            call = _begun(begin, self, args, kwargs)
            if call is None:
                return original(self, *args, **kwargs)
            with call as state:
                return call.answered(state, original(self, *args, **kwargs))

        return ask

    return make


def watched(tracker: StreamTracker, describe: Describe, reader: tap.Reader) -> Callable[[Method], Method]:
    """How a method is replaced that returns a reply or a generator of its pieces, be it asynchronous or not."""

    def begin(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        info = describe(client, args, kwargs)
        return _Generating(tracker, info, reader) if info is not None else None

    return lambda original: (asynchronous if inspect.iscoroutinefunction(original) else synchronous)(begin)(original)


class _Generating(Call):
    """A call whose reply may be a generator."""

    __slots__ = ("_reader",)

    def __init__(self, tracker: StreamTracker, info: StreamInfo, reader: tap.Reader) -> None:
        super().__init__(tracker, info)
        self._reader = reader

    def answered(self, state: StreamState | None, result: Any) -> Any:
        """A generator in place of the one that was returned; else what was returned, which is the end."""
        if state is None:
            return result
        if not (inspect.isasyncgen(result) or inspect.isgenerator(result)):
            tap.note_whole(state, result, self._reader)
            return result
        state.asked = 0.0  # the reader has the generator, and has not asked for the first item yet
        self.goes_on = True
        opening = tap.Begun(self._tracker, state, self._reader)
        if inspect.isasyncgen(result):
            return tap.tapped(self._tracker, result, opening)
        return tap.iterated(self._tracker, result, opening)
