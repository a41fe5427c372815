"""OTLP over gRPC."""

import asyncio
from typing import Any, Final

import grpc  # type: ignore[import-untyped]

from autogen_streamtrace.commands.reading.otlp_protobuf import Signal
from autogen_streamtrace.commands.ui.receiving.http import response
from autogen_streamtrace.commands.ui.receiving.inlet import BusyError, Inlet, StoreFaultError
from autogen_streamtrace.commands.ui.receiving.requests import MOST, ExportRequest, RequestError, is_packed

_METHODS: Final[dict[str, Signal]] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
}
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MOST),
    ("grpc.so_reuseport", 0),  # else two receivers would share the port, and each get a part
    ("grpc.per_message_decompression", 0),  # gRPC would unpack a request without a bound
)
_AT_ONCE: Final = 64
"""Requests that are worked on at once."""


class PortTakenError(Exception):
    """Something else listens there."""


def server(inlet: Inlet, host: str, port: int, token: str) -> tuple[Any, int]:
    """A server, not yet started, and its port.

    Args:
        inlet: the way into the store.
        host: the address to listen on.
        port: 0 for a free one.
        token: what ``authorization: Bearer`` has to bring; empty where nothing has to.

    Raises:
        PortTakenError: something else listens there.
    """
    made = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=_AT_ONCE)
    made.add_generic_rpc_handlers((_Handlers(inlet, token),))
    try:
        bound = made.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise PortTakenError
    return made, bound


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, inlet: Inlet, token: str) -> None:
        self._inlet = inlet
        self._wanted = f"Bearer {token}" if token else ""

    def service(self, handler_call_details: Any) -> Any:
        signal = _METHODS.get(handler_call_details.method)
        if signal is None:
            return None

        async def export(data: bytes, context: Any) -> bytes:
            return await self._export(signal, data, context)

        return grpc.unary_unary_rpc_method_handler(export)

    async def _export(self, signal: Signal, data: bytes, context: Any) -> bytes:
        sent = dict(context.invocation_metadata() or ())
        if self._wanted and sent.get("authorization") != self._wanted:
            told = "the token is missing: set OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, told)
        try:
            request = ExportRequest(signal, "protobuf", data, is_packed(data))
            refused = await asyncio.wrap_future(self._inlet.take(request))
        except RequestError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except (BusyError, StoreFaultError) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return bytes(response(signal, refused).SerializeToString())
