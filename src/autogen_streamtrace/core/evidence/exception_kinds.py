"""What the exceptions of other libraries mean: by name, so that none of them needs to be imported."""

from typing import Final, Literal

Kind = Literal[
    "timeout",
    "late",
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
"""late: a bare ``TimeoutError``, of any timer · lost: an HTTP client's exception for a lost connection ·
socket: a bare error of a connection, of any other library · closed here: this process closed the connection ·
malformed: the data cannot be parsed · unusable: it can, but the caller asked for other data ·
closed: ``GeneratorExit`` · gone: the end user left."""

_HTTP_CLIENTS: Final = ("httpx", "httpx2", "httpcore", "httpcore2")
_SDKS: Final = ("openai", "anthropic", "groq")
_HTTPX_TIMERS: Final = {
    "ConnectTimeout": "connect",
    "ReadTimeout": "read",
    "WriteTimeout": "write",
    "PoolTimeout": "pool",
}
TIMERS: Final = {
    **_HTTPX_TIMERS,
    "ConnectionTimeoutError": "connect",
    "ConnectTimeoutError": "connect",
    "SocketTimeoutError": "read",
    "ReadTimeoutError": "read",
}
"""Timers of an HTTP client by the exception that they raise."""
_LOST: Final = ("NetworkError", "RemoteProtocolError", "ProxyError", "ConnectError", "ReadError", "WriteError")

_OTHER_CLIENTS: Final[dict[str, Kind]] = {
    "aiohttp.client_exceptions.ServerTimeoutError": "timeout",
    "aiohttp.client_exceptions.ConnectionTimeoutError": "timeout",
    "aiohttp.client_exceptions.SocketTimeoutError": "timeout",
    "aiohttp.client_exceptions.ClientConnectionError": "lost",
    "aiohttp.client_exceptions.ClientPayloadError": "lost",
    "aiohttp.client_exceptions.ClientResponseError": "rejected",
    "aiohttp.client_exceptions.ContentTypeError": "unusable",
    "azure.core.exceptions.ServiceRequestTimeoutError": "timeout",
    "azure.core.exceptions.ServiceResponseTimeoutError": "timeout",
    "azure.core.exceptions.ServiceRequestError": "lost",
    "azure.core.exceptions.ServiceResponseError": "lost",
    "azure.core.exceptions.HttpResponseError": "rejected",
    "azure.core.exceptions.DecodeError": "malformed",
    "azure.core.exceptions.IncompleteReadError": "lost",
    "botocore.exceptions.ConnectTimeoutError": "timeout",
    "botocore.exceptions.ReadTimeoutError": "timeout",
    "botocore.exceptions.ConnectionError": "lost",
    "botocore.exceptions.HTTPClientError": "lost",
    "botocore.exceptions.IncompleteReadError": "lost",
    "botocore.exceptions.ClientError": "rejected",
    "botocore.eventstream.ParserError": "malformed",
    "http.client.IncompleteRead": "lost",
    "http.client.RemoteDisconnected": "lost",
    "requests.exceptions.Timeout": "timeout",
    "requests.exceptions.ConnectTimeout": "timeout",
    "requests.exceptions.ReadTimeout": "timeout",
    "requests.exceptions.ConnectionError": "lost",
    "requests.exceptions.ChunkedEncodingError": "lost",
    "requests.exceptions.ContentDecodingError": "malformed",
    "requests.exceptions.HTTPError": "rejected",
    "requests.exceptions.JSONDecodeError": "malformed",
    "urllib3.exceptions.TimeoutError": "timeout",
    "urllib3.exceptions.ConnectTimeoutError": "timeout",
    "urllib3.exceptions.ReadTimeoutError": "timeout",
    "urllib3.exceptions.NewConnectionError": "lost",
    "urllib3.exceptions.MaxRetryError": "lost",
    "urllib3.exceptions.ProtocolError": "lost",
    "urllib3.exceptions.IncompleteRead": "lost",
    "urllib3.exceptions.DecodeError": "malformed",
}
"""Exceptions of the HTTP clients that have no ``http`` layer here, or stand below one as a transport."""

_PROVIDERS: Final[dict[str, Kind]] = {
    "cohere.core.api_error.ApiError": "rejected",
    "google.genai.errors.APIError": "rejected",
    "google.genai.errors.UnknownApiResponseError": "malformed",
    "grpc.RpcError": "rejected",
    "mistralai.client.errors.mistralerror.MistralError": "rejected",
    "mistralai.models.mistralerror.MistralError": "rejected",
    "mistralai.models.sdkerror.SDKError": "rejected",
    "ollama._types.ResponseError": "rejected",
}

GRPC_CODES: Final[dict[str, Kind]] = {"DEADLINE_EXCEEDED": "timeout", "UNAVAILABLE": "lost", "CANCELLED": "lost"}
"""Status codes of a gRPC call that are no answer of its server's: https://grpc.io/docs/guides/status-codes/."""

KINDS: Final[dict[str, Kind]] = {
    **{f"{client}.{name}": "timeout" for client in _HTTP_CLIENTS for name in (*_HTTPX_TIMERS, "TimeoutException")},
    **{f"{client}.{name}": "lost" for client in _HTTP_CLIENTS for name in _LOST},
    **{f"{client}.DecodingError": "malformed" for client in ("httpx", "httpx2")},
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
    "asyncio.exceptions.CancelledError": "cancelled",
    "builtins.GeneratorExit": "closed",
    "anyio.ClosedResourceError": "closed here",
    "trio.ClosedResourceError": "closed here",
    "builtins.TimeoutError": "late",
    "asyncio.exceptions.TimeoutError": "late",  # another one until Python 3.11
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
    **_OTHER_CLIENTS,
    **_PROVIDERS,
    "starlette.requests.ClientDisconnect": "gone",
    "starlette.websockets.WebSocketDisconnect": "gone",
    "sse_starlette.sse.SendTimeoutError": "gone",
    "uvicorn.protocols.utils.ClientDisconnected": "gone",
    "gunicorn.asgi.protocol.ClientDisconnected": "gone",
    "websockets.exceptions.ConnectionClosed": "socket",
}
"""What an exception type, or its nearest named base, means."""

WRAPPERS: Final[set[str]] = set(
    {f"{sdk}.{name}" for sdk in _SDKS for name in ("APITimeoutError", "APIConnectionError")}
    | {
        "requests.exceptions.ChunkedEncodingError",
        "requests.exceptions.ConnectionError",  # also over a timer that fired within a body
        "urllib3.exceptions.MaxRetryError",
    }
)
"""Exceptions that show less than their causes, such as an SDK's for an error of its HTTP client. A framework's join
when it is watched."""

SESSIONS: Final = frozenset({"mcp.shared.exceptions.McpError", "mcp.shared.exceptions.MCPError"})
"""What a session raises in place of whatever became of its exchange: another task sends that, and only a text of its
exception arrives."""

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
"""Exceptions of a closed connection. They show neither which connection that was nor which side closed it."""

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
"""Connection objects by package, and whether each is a server's, so that an end user is at its other end."""
