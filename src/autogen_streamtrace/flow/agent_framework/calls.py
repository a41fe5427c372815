"""How the methods are watched that return a stream, or an awaitable of the result, as their argument ``stream`` says.

One call goes through several methods of that name: of a class, its mixins and its base classes. The outermost opens the
stream. It may return before its stream is read, so until then ``own_spans.calling`` says which object is called.
"""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from autogen_streamtrace.core import tap
from autogen_streamtrace.core.errors import report
from autogen_streamtrace.core.proxy import AutoObjectProxy
from autogen_streamtrace.core.semconv import Layer
from autogen_streamtrace.core.stream.scope import current
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.agent_framework.own_spans import Written, calling
from autogen_streamtrace.flow.agent_framework.response_stream import is_stream, watch

_MADE_UP_ID: Final = re.compile(r"[-_ ]?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

Describe = Callable[[Any, tuple[Any, ...], dict[str, Any]], StreamInfo]
"""What is known of the stream of a call, from the object and the arguments."""


class Notes(NamedTuple):
    """What reads a stream: each item, and an awaited result."""

    item: tap.Note | None = None
    result: tap.Note | None = None


NO_NOTES: Final = Notes()

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def watched(tracker: StreamTracker, layer: Layer, describe: Describe, notes: Notes = NO_NOTES) -> Wrap:
    """Makes the replacement of a method of agents, clients or workflows."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _inside(layer, self):
                return original(self, *args, **kwargs)
            try:
                known = describe(self, args, kwargs)
            except Exception as defect:
                report("naming a stream", defect)
                return original(self, *args, **kwargs)
            written = Written(layer, self)
            token = calling.set(written)
            try:
                result = original(self, *args, **kwargs)
            finally:
                calling.reset(token)
            try:
                if is_stream(result):
                    watch(result, tap.Reading(tracker, known, notes.item, written.bind))
                    return result
                return _Result(tracker, known, notes, written).watched(result)
            except Exception as defect:
                report("watching a stream of Agent Framework", defect)
            return result

        if not inspect.iscoroutinefunction(original):
            return method

        @functools.wraps(original)
        async def coroutine(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await method(self, *args, **kwargs)

        return coroutine

    return make


class _Result:
    """What a call returned: a stream, or an awaitable of a stream or of the result."""

    def __init__(self, tracker: StreamTracker, info: StreamInfo, notes: Notes, written: Written) -> None:
        self._tracker = tracker
        self._info = info
        self._notes = notes
        self._written = written

    def watched(self, result: Any) -> Any:
        """The result, watched."""
        if is_stream(result):
            watch(result, tap.Reading(self._tracker, self._info, self._notes.item, self._written.bind))
            return result
        if inspect.iscoroutine(result):
            return _Coroutine(result, self._awaited)
        if inspect.isawaitable(result):
            return _Awaitable(result, self._awaited)
        return tap.watched(self._tracker, result, lambda: self._info)

    async def _awaited(self, result: Any) -> Any:
        if not self._info.streamed:
            return await tap.call(self._tracker, self._info, lambda: result, self._notes.result)
        return self.watched(await result)


class _Awaitable(AutoObjectProxy):  # type: ignore[type-arg]
    """An awaitable. Its attributes and methods stay as they were."""

    def __init__(self, source: Any, call: Callable[[Any], Any]) -> None:
        super().__init__(source)
        self._self_call = call

    def __await__(self) -> Any:
        return self._self_call(self.__wrapped__).__await__()


class _Coroutine(_Awaitable):
    """A coroutine. One that is closed or dropped before it runs is what is closed or dropped."""

    def __init__(self, source: Any, call: Callable[[Any], Any]) -> None:
        super().__init__(source, call)
        self._self_running: Any = None

    def __await__(self) -> Any:
        return self._self_start().__await__()

    def send(self, value: Any) -> Any:
        return self._self_start().send(value)

    def throw(self, *error: Any) -> Any:
        return (self._self_running or self.__wrapped__).throw(*error)

    def close(self) -> None:
        (self._self_running or self.__wrapped__).close()

    def _self_start(self) -> Any:
        if self._self_running is None:
            self._self_running = self._self_call(self.__wrapped__)
        return self._self_running


def name_of(subject: Any) -> str:
    """The name of an agent or a workflow, without the id that ends a made-up one; its class where it has none."""
    name = getattr(subject, "name", None)
    return (_named(name) if isinstance(name, str) else "") or type(subject).__name__


@functools.lru_cache(maxsize=256)
def _named(name: str) -> str:
    return _MADE_UP_ID.sub("", name)


def _inside(layer: Layer, subject: object) -> bool:
    """Whether this call is part of another one: of one that has not returned, or of the stream around it."""
    call = calling.get()
    if call is not None and call.subject is subject and call.layer == layer:
        return True
    state = current()
    return state is not None and state.layer == layer and state.info.subject == id(subject) and not state.closed
