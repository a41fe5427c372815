"""The exceptions of other clients and SDKs: their rows name real classes, and each means what happened."""

import importlib
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final

import pytest

from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.exception_kinds import CLOSINGS, CONNECTIONS, KINDS, SESSIONS, WRAPPERS

pytestmark = pytest.mark.once

NAMES: Final = sorted({*KINDS, *WRAPPERS, *CLOSINGS, *(name for sides in CONNECTIONS.values() for name in sides)})
requests: Final[Any] = pytest.importorskip("requests")


def found(name: str) -> Any:
    """What stands under a full name; None where there is no such name."""
    module, _, simple = name.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # websockets.legacy is deprecated
        return getattr(importlib.import_module(module), simple, None)


def named(name: str, *bases: type[BaseException]) -> Any:
    """Stands for a class of a package that need not be installed, by its full name."""
    module, _, simple = name.rpartition(".")
    return type(simple, bases or (Exception,), {"__module__": module})


@pytest.mark.parametrize("name", NAMES)
def test_a_row_names_a_real_class_where_its_package_is_installed(name: str) -> None:
    if name == "asyncio.exceptions.TimeoutError" and sys.version_info >= (3, 11):
        pytest.skip("it is TimeoutError")
    try:
        cls = found(name)
    except ImportError as error:
        pytest.skip(f"not installed: {error.name}")
    assert isinstance(cls, type)
    assert f"{cls.__module__}.{cls.__qualname__}" == name


def test_a_sessions_exception_is_a_real_class_of_the_installed_version() -> None:
    assert [name for name in SESSIONS if found(name) is not None]


def in_place(name: str, *bases: type[BaseException]) -> BaseException:
    """The exception itself without its arguments, or its stand-in."""
    try:
        cls = found(name)
    except ImportError:
        cls = None
    if cls is None:
        return named(name, *bases)()  # type: ignore[no-any-return]
    made: BaseException = cls.__new__(cls)
    return made


MEANS: Final = [
    ("aiohttp.client_exceptions.SocketTimeoutError", "timeout", "read"),
    ("aiohttp.client_exceptions.ConnectionTimeoutError", "timeout", "connect"),
    ("aiohttp.client_exceptions.ServerTimeoutError", "timeout", ""),
    ("aiohttp.client_exceptions.ClientPayloadError", "lost", ""),
    ("azure.core.exceptions.ServiceResponseTimeoutError", "timeout", ""),
    ("azure.core.exceptions.HttpResponseError", "rejected", ""),
    ("botocore.exceptions.ReadTimeoutError", "timeout", "read"),
    ("botocore.exceptions.ConnectTimeoutError", "timeout", "connect"),
    ("botocore.exceptions.EndpointConnectionError", "lost", ""),
    ("botocore.exceptions.ResponseStreamingError", "lost", ""),
    ("botocore.exceptions.EventStreamError", "rejected", ""),
    ("requests.exceptions.ReadTimeout", "timeout", "read"),
    ("requests.exceptions.ConnectTimeout", "timeout", "connect"),
    ("requests.exceptions.ChunkedEncodingError", "lost", ""),
    ("requests.exceptions.SSLError", "lost", ""),
    ("requests.exceptions.HTTPError", "rejected", ""),
    ("urllib3.exceptions.NewConnectionError", "lost", ""),
    ("urllib3.exceptions.IncompleteRead", "lost", ""),
    ("google.genai.errors.APIError", "rejected", ""),
    ("mistralai.models.sdkerror.SDKError", "rejected", ""),
    ("cohere.core.api_error.ApiError", "rejected", ""),
    ("anthropic.OverloadedError", "rejected", ""),
    ("ollama._types.ResponseError", "rejected", ""),
]


@pytest.mark.parametrize(("name", "kind", "timer"), MEANS)
def test_what_an_exception_of_another_client_means(name: str, kind: str, timer: str) -> None:
    if (name.partition(".")[0] not in ("anthropic", "botocore", "requests")) and name not in KINDS:
        pytest.fail("a stand-in needs a row of its own")
    cause = causes.read(in_place(name))
    assert (cause.kind, cause.timer) == (kind, timer)


def test_a_server_that_aiohttp_finds_gone_is_a_lost_connection() -> None:
    base = named("aiohttp.client_exceptions.ClientConnectionError")
    for name in ("ServerDisconnectedError", "ClientConnectorError"):
        assert causes.read(named(f"aiohttp.client_exceptions.{name}", base)()).kind == "lost"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DEADLINE_EXCEEDED", "timeout"),
        ("UNAVAILABLE", "lost"),
        ("CANCELLED", "lost"),
        ("RESOURCE_EXHAUSTED", "rejected"),
        ("INTERNAL", "rejected"),
    ],
)
def test_what_a_grpc_error_means_stands_in_its_code(code: str, kind: str) -> None:
    error = named("grpc.aio._call.AioRpcError", named("grpc.RpcError"))()
    error.code = lambda: SimpleNamespace(name=code)
    assert causes.read(error).kind == kind


def test_a_grpc_error_without_a_code_is_an_answer() -> None:
    assert causes.read(named("grpc.RpcError")()).kind == "rejected"


@pytest.fixture
def peer() -> Iterator[Callable[[bytes, bool], str]]:
    """Starts a server that answers one request with these bytes, then closes or keeps silent. Returns its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def start(answer: bytes, closes: bool) -> str:
        def serve() -> None:
            connection = listener.accept()[0]
            kept.append(connection)
            connection.recv(65536)
            connection.sendall(answer)
            if closes:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    listener.close()
    for connection in kept:
        connection.close()


HEAD: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def of_requests(url: str) -> causes.Cause:
    def read() -> None:
        with requests.get(url, stream=True, timeout=0.3) as response:
            response.raise_for_status()
            for _ in response.iter_content():
                pass

    with pytest.raises(requests.RequestException) as caught:
        read()
    return causes.read(caught.value)


def test_a_timer_of_requests_that_fires_within_a_body_is_a_timer_though_it_is_called_a_connection_error(
    peer: Callable[[bytes, bool], str],
) -> None:
    cause = of_requests(peer(HEAD + b"2\r\nHi\r\n", False))
    assert cause.types[0] == "requests.exceptions.ConnectionError"
    assert (cause.root, cause.kind, cause.timer) == ("urllib3.exceptions.ReadTimeoutError", "timeout", "read")


def test_a_body_of_requests_that_is_cut_is_a_lost_connection(peer: Callable[[bytes, bool], str]) -> None:
    assert of_requests(peer(HEAD + b"5\r\nHi", True)).kind == "lost"


def test_a_silent_server_and_a_closed_port_are_told_apart(peer: Callable[[bytes, bool], str]) -> None:
    assert of_requests(peer(b"", False)).timer == "read"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    cause = of_requests(f"http://127.0.0.1:{port}/")
    assert (cause.root, cause.kind) == ("urllib3.exceptions.NewConnectionError", "lost")


def test_a_status_of_requests_is_an_answer(peer: Callable[[bytes, bool], str]) -> None:
    cause = of_requests(peer(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", False))
    assert (cause.kind, cause.status) == ("rejected", 503)
