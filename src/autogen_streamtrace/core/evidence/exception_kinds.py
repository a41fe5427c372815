"""What the exceptions of other libraries mean: by name, so that none of them needs to be imported."""

from typing import Final, Literal

Kind = Literal[
    "timeout",
    "lost",
    "socket",
    "closed here",
    "malformed",
    "unusable",
    "rejected",
    "cancelled",
    "closed",
    "gone",
    "other",
]
"""lost: an HTTP client's word for a lost connection · socket: a bare error of a connection, of any other library ·
closed here: this process closed the connection · malformed: what came cannot be parsed · unusable: it can, and is not
what was asked for · closed: ``GeneratorExit`` · gone: the end user left."""

_HTTP_CLIENTS: Final = ("httpx", "httpx2", "httpcore", "httpcore2")
_SDKS: Final = ("openai", "anthropic")
TIMERS: Final = {"ConnectTimeout": "connect", "ReadTimeout": "read", "WriteTimeout": "write", "PoolTimeout": "pool"}
"""Timers of an HTTP client by the exception that they raise."""
_LOST: Final = ("NetworkError", "RemoteProtocolError", "ProxyError", "ConnectError", "ReadError", "WriteError")

KINDS: Final[dict[str, Kind]] = {
    **{f"{client}.{name}": "timeout" for client in _HTTP_CLIENTS for name in (*TIMERS, "TimeoutException")},
    **{f"{client}.{name}": "lost" for client in _HTTP_CLIENTS for name in _LOST},
    **{f"{client}.DecodingError": "malformed" for client in _HTTP_CLIENTS},
    **{f"{sdk}.APITimeoutError": "timeout" for sdk in _SDKS},
    **{f"{sdk}.APIConnectionError": "lost" for sdk in _SDKS},
    **{f"{sdk}.APIError": "rejected" for sdk in _SDKS},
    **{f"{sdk}.APIResponseValidationError": "malformed" for sdk in _SDKS},
    "openai.LengthFinishReasonError": "unusable",
    "openai.ContentFilterFinishReasonError": "unusable",
    "pydantic_core._pydantic_core.ValidationError": "unusable",
    "jsonschema.exceptions.ValidationError": "unusable",
    "json.decoder.JSONDecodeError": "malformed",
    "builtins.UnicodeDecodeError": "malformed",
    "botocore.eventstream.ParserError": "malformed",
    "botocore.exceptions.EventStreamError": "rejected",
    "ollama._types.ResponseError": "rejected",
    "asyncio.exceptions.CancelledError": "cancelled",
    "builtins.GeneratorExit": "closed",
    "anyio.ClosedResourceError": "closed here",
    "trio.ClosedResourceError": "closed here",
    "builtins.ConnectionError": "socket",
    "socket.gaierror": "socket",
    "ssl.SSLError": "socket",
    "asyncio.exceptions.IncompleteReadError": "socket",
    "anyio.BrokenResourceError": "socket",
    "anyio.EndOfStream": "socket",
    "h11._util.RemoteProtocolError": "socket",
    "h2.exceptions.H2Error": "socket",
    "hpack.exceptions.HPACKError": "socket",
    "hyperframe.exceptions.HyperframeError": "socket",
    "aiohttp.client_exceptions.ServerTimeoutError": "timeout",
    "aiohttp.client_exceptions.ClientConnectionError": "socket",
    "aiohttp.client_exceptions.ClientPayloadError": "socket",
    "starlette.requests.ClientDisconnect": "gone",
    "starlette.websockets.WebSocketDisconnect": "gone",
    "sse_starlette.sse.SendTimeoutError": "gone",
    "uvicorn.protocols.utils.ClientDisconnected": "gone",
    "gunicorn.asgi.protocol.ClientDisconnected": "gone",
    "websockets.exceptions.ConnectionClosed": "socket",
}
"""What an exception type, or its nearest named base, means."""

WRAPPERS: Final = frozenset(f"{sdk}.{name}" for sdk in _SDKS for name in ("APITimeoutError", "APIConnectionError"))
"""The SDKs' own names for what their HTTP client raised."""

CLOSINGS: Final = frozenset(
    {
        "builtins.ConnectionError",
        "asyncio.exceptions.IncompleteReadError",
        "anyio.BrokenResourceError",
        "anyio.ClosedResourceError",
        "anyio.EndOfStream",
        "h11._util.LocalProtocolError",
        "wsproto.utilities.LocalProtocolError",
        "tornado.iostream.StreamClosedError",
        "tornado.websocket.WebSocketClosedError",
        "websockets.exceptions.ConnectionClosed",
    }
)
"""What is raised over a closed connection. It says neither which connection that was nor who closed it."""

CONNECTIONS: Final[dict[str, dict[str, bool]]] = {
    "aiohttp": {"aiohttp.web_response.StreamResponse": True, "aiohttp.client_ws.ClientWebSocketResponse": False},
    "tornado": {"tornado.web.RequestHandler": True, "tornado.websocket.WebSocketClientConnection": False},
    "websockets": {
        "websockets.asyncio.client.ClientConnection": False,
        "websockets.asyncio.server.ServerConnection": True,
        "websockets.legacy.client.WebSocketClientProtocol": False,
        "websockets.legacy.server.WebSocketServerProtocol": True,
        "websockets.sync.client.ClientConnection": False,
        "websockets.sync.server.ServerConnection": True,
    },
}
"""Connection objects by package, and whether an end user is at the other end: they are a server's."""
