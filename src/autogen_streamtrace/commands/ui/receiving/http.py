"""OTLP over HTTP, as https://opentelemetry.io/docs/specs/otlp/#otlphttp says."""

import asyncio
from typing import Final

import orjson
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from autogen_streamtrace.commands.reading.otlp_protobuf import Signal
from autogen_streamtrace.commands.ui.receiving.inlet import BusyError, Inlet, StoreFaultError
from autogen_streamtrace.commands.ui.receiving.requests import MOST, ExportRequest, Form, RequestError, too_large

FORMS: Final[dict[str, Form]] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_PACKED: Final = {"": False, "identity": False, "gzip": True, "deflate": True}
_PATIENCE: Final = 30.0
"""Seconds for a request to come whole."""
_RETRY: Final = {"Retry-After": "1"}


def routes(inlet: Inlet) -> list[Route]:
    """The routes of a receiver that writes through ``inlet``."""

    def route(signal: Signal) -> Route:
        async def receive(request: Request) -> Response:
            return await _receive(request, signal, inlet)

        return Route(f"/v1/{signal}", receive, methods=["POST"])

    async def other(request: Request) -> Response:
        told = "This is a receiver of OTLP: POST /v1/traces, /v1/logs or /v1/metrics. The page is on another port.\n"
        return PlainTextResponse(told, 404)

    return [route("traces"), route("logs"), route("metrics"), Route("/{path:path}", other)]


async def _receive(request: Request, signal: Signal, inlet: Inlet) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = FORMS.get(kind)
    if form is None:
        return _refusal("json", 415, f"content-type {kind!r} is not OTLP; allowed: {', '.join(FORMS)}")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in _PACKED:
        return _refusal(form, 415, f"content-encoding {encoding!r} is not known here; allowed: gzip, deflate")
    try:
        data = await asyncio.wait_for(_body(request), _PATIENCE)
        refused = await asyncio.wrap_future(inlet.take(ExportRequest(signal, form, data, _PACKED[encoding])))
    except RequestError as error:
        return _refusal(form, 413 if error.large else 400, str(error), close=error.large)
    except asyncio.TimeoutError:
        return _refusal(form, 408, f"the request did not come whole within {_PATIENCE:g} s", close=True)
    except BusyError as error:
        return _refusal(form, 429, str(error))
    except StoreFaultError as error:
        return _refusal(form, 503, str(error))
    except ClientDisconnect:
        return Response(status_code=400)
    return _accepted(signal, form, refused)


async def _body(request: Request) -> bytes:
    """The request's body.

    Raises:
        RequestError: it is too large; no more of it is read.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST:
        raise RequestError(too_large(), large=True)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST:
            raise RequestError(too_large(), large=True)
    return bytes(data)


def _refusal(form: Form, status: int, problem: str, *, close: bool = False) -> Response:
    headers = {**(_RETRY if status in (429, 503) else {}), **({"Connection": "close"} if close else {})}
    if form == "json":
        content = orjson.dumps({"code": status, "message": problem})
        return Response(content, status, headers, "application/json")
    return Response(Status(message=problem).SerializeToString(), status, headers, "application/x-protobuf")


def _accepted(signal: Signal, form: Form, refused: int) -> Response:
    told = f"{refused} without usable ids" if refused else ""
    if form == "json":
        name = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}[signal]
        answer = {"partialSuccess": {name: str(refused), "errorMessage": told}} if refused else {}
        return Response(orjson.dumps(answer), 200, media_type="application/json")
    return Response(response(signal, refused).SerializeToString(), 200, media_type="application/x-protobuf")


Answer = ExportTraceServiceResponse | ExportLogsServiceResponse | ExportMetricsServiceResponse


def response(signal: Signal, refused: int) -> Answer:
    """The answer to a request of which so many spans or records could not be used."""
    told = f"{refused} without usable ids"
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        if refused:
            traces.partial_success.rejected_spans = refused
            traces.partial_success.error_message = told
        return traces
    if signal == "logs":
        logs = ExportLogsServiceResponse()
        if refused:
            logs.partial_success.rejected_log_records = refused
            logs.partial_success.error_message = told
        return logs
    return ExportMetricsServiceResponse()
