"""Layer ``model``: what the SDKs ask that Stainless generates, such as ``openai`` and ``anthropic``.

Each request of such an SDK, and each of its retries, goes through one method of its client. What comes back is

- a stream (``Stream``, ``AsyncStream``): its iterator is replaced by a watched one, and the stream stays what it is;
- a raw response whose body is still open: the stream that is parsed from it is watched alike. Where the program reads
  the body itself, the model's stream ends with its HTTP exchange;
- a whole reply.
"""

import functools
import weakref
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core import tap
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import requests
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.models import model_info, parameters
from autogen_streamtrace.core.stream.state import StreamInfo, StreamState
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.sdks import calls
from autogen_streamtrace.flow.sdks.endpoints import Endpoint, endpoint
from autogen_streamtrace.neighbours import check_version, sdks

_PROVIDERS: Final = {
    "AzureOpenAI": "azure.ai.openai",
    "AsyncAzureOpenAI": "azure.ai.openai",
    "AnthropicBedrock": "aws.bedrock",
    "AsyncAnthropicBedrock": "aws.bedrock",
    "AnthropicVertex": "gcp.vertex_ai",
    "AsyncAnthropicVertex": "gcp.vertex_ai",
}
"""``gen_ai.provider.name`` by the nearest class of the client that is listed here; else it is the SDK's name."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches what the asynchronous clients of an SDK ask."""
    check_version(module.__name__, *sdks.TESTED[module.__name__])
    _patch(module.AsyncClient, patcher, calls.asynchronous(_begin(tracker, module.__name__)))


def apply_synchronous(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches what the synchronous clients of an SDK ask."""
    _patch(module.Client, patcher, calls.synchronous(_begin(tracker, module.__name__)))


def apply_parsed(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches the streams that are parsed from raw responses."""

    def made(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            if _raw:
                with contained("finding the call of a stream"):
                    response = sdks.RESPONSE.of(self)
                    call = _raw.pop(response, None) if response is not None else None
                    if call is not None:
                        _watch(self, *call)

        return __init__

    for stream in (module.AsyncStream, module.Stream):
        patcher.attribute(stream, "__init__", made)


def _patch(client: type, patcher: Patcher, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replaces the method through which all of a client's requests go."""
    name = sdks.REQUEST
    owner = next((cls for cls in client.__mro__ if name in vars(cls)), None)
    if owner is None:
        raise AttributeError(f"{client.__name__}.{name}")
    patcher.family(owner, name, make)


class _Request(calls.Call):
    """One request, until it is answered."""

    __slots__ = ("_endpoint",)

    def __init__(self, tracker: StreamTracker, info: StreamInfo, endpoint: Endpoint) -> None:
        super().__init__(tracker, info)
        self._endpoint = endpoint

    def answered(self, state: StreamState | None, result: Any) -> Any:
        """Watches a stream on, which stays what it is; a whole reply is the end."""
        if state is not None:
            with contained("reading what an SDK returned"):
                self.goes_on = self._goes_on(state, result)
        return result

    def _goes_on(self, state: StreamState, result: Any) -> bool:
        raw = getattr(result, "http_response", None)
        reader = self._endpoint.reader
        if raw is None and not state.info.streamed:
            tap.note_whole(state, result, reader)
            return False
        response = sdks.RESPONSE.of(result) if raw is None else raw
        if response is not None and response.is_closed:
            return False
        state.asked = 0.0  # the reader has the response, and has not asked for the first item yet
        state.follows = True
        if raw is None:
            _watch(result, self._tracker, state, reader)
        else:
            _raw[response] = (self._tracker, state, reader)
        return True


_raw: Final["weakref.WeakKeyDictionary[Any, tuple[StreamTracker, StreamState, tap.Reader]]"] = (
    weakref.WeakKeyDictionary()
)
"""By HTTP response: the calls that brought a raw response, from which nothing was parsed so far."""


def _begin(tracker: StreamTracker, sdk: str) -> calls.Begin:
    """How a request of an SDK's begins."""

    def begin(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> calls.Call | None:
        options = args[1] if len(args) > 1 else kwargs["options"]
        streamed = bool(kwargs.get("stream"))
        found = endpoint(options.url, streamed=streamed)
        if found is None:
            return None
        return _Request(tracker, _info(tracker, sdk, client, options.json_data, found, streamed), found)

    return begin


def _info(tracker: StreamTracker, sdk: str, client: Any, body: Any, endpoint: Endpoint, streamed: bool) -> StreamInfo:
    asked: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    model = asked.get("model")
    return model_info(
        model if isinstance(model, str) and model else type(client).__name__,
        next((_PROVIDERS[c.__name__] for c in type(client).__mro__ if c.__name__ in _PROVIDERS), sdk),
        streamed=streamed,
        operation=endpoint.operation,
        asked=parameters(asked),
        subject=client,
        content=requests.content_of(asked) if tracker.captures else None,
    )


def _watch(stream: Any, tracker: StreamTracker, state: StreamState, reader: tap.Reader) -> None:
    """Replaces the iterator from which a stream takes its items."""
    iterator = sdks.ITERATOR.of(stream)
    if iterator is not None:
        sdks.ITERATOR.replace(stream, tap.items(tracker, iterator, tap.Begun(tracker, state, reader)))
