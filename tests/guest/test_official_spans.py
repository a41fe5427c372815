"""The official HTTP instrumentation's spans are light under ``instrument()``, and come out as they were."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import Span, SpanContext, StatusCode, TraceFlags
from programs.official import spans_of
from programs.watching import watching

from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.neighbours.opentelemetry_spans import are_known
from autogen_streamtrace.neighbours.opentelemetry_tracers import LightTracers

pytestmark = pytest.mark.once

PARENT = trace.NonRecordingSpan(SpanContext(7, 8, False, TraceFlags(TraceFlags.SAMPLED)))


def answers(status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, headers={"x-told": "a"})


def refuses(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def leaves(request: httpx.Request) -> httpx.Response:
    raise KeyboardInterrupt


def writes(span: Span, *others: Any) -> None:
    span.set_attribute("theirs", "a")
    span.set_attribute("http.request.method", "changed")
    span.add_event("theirs", {"a": 1})
    span.set_status(StatusCode.OK)


def seen(
    handle: Callable[[httpx.Request], httpx.Response], sampler: Sampler, hook: Any, *, light: bool
) -> tuple[list[Any], str]:
    """What is exported of one request, and the header by which it names its span."""
    headers: list[str] = []

    def handled(request: httpx.Request) -> httpx.Response:
        headers.append(request.headers["traceparent"])
        return handle(request)

    tracers = {"tracers": LightTracers} if light else {}
    request, raises = httpx.Request("POST", "http://example.org:81/"), (httpx.ConnectError, KeyboardInterrupt)
    told: list[Any] = []
    with trace.use_span(PARENT):
        spans = spans_of(request, handled, sampler, raises=raises, request_hook=hook, response_hook=hook, **tracers)
    for each in spans:
        events = [(event.name, sorted(event.attributes or {})) for event in each.events]
        status = (each.status.status_code, each.status.description)
        assert each.start_time is not None and each.end_time is not None and each.start_time <= each.end_time
        assert each.context is not None and f"{each.context.span_id:016x}" in headers[0]
        told.append((each.name, each.kind, each.parent, [*(each.attributes or {}).items()], status, events))
        told.append((each.instrumentation_scope, each.resource.attributes))
    return told, headers[0].rpartition("-")[2]


@pytest.mark.parametrize("hook", [None, writes], ids=["", "written to"])
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("handle", [answers(200), answers(404), refuses, leaves], ids=["200", "404", "error", "ctrl-c"])
def test_a_span_comes_out_as_without_us(
    handle: Callable[[httpx.Request], httpx.Response], sampler: Sampler, hook: Any
) -> None:
    assert seen(handle, sampler, hook, light=True) == seen(handle, sampler, hook, light=False)


def test_under_instrument_a_request_that_is_answered_takes_no_span_of_the_sdks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not are_known():
        pytest.skip("this SDK's spans are not known")
    made: list[str] = []
    make = SdkSpan.__init__

    def counted(self: SdkSpan, name: str, *args: Any, **kwargs: Any) -> None:
        made.append(name)
        make(self, name, *args, **kwargs)

    monkeypatch.setattr(SdkSpan, "__init__", counted)
    with ModelServer() as server, watching() as told, httpx.Client(trust_env=False) as client:
        client.post(f"{server.url('ok')}/chat/completions", json={"messages": []})
        assert told.tracker.settle(40)
        assert "POST" in [span.name for span in told.spans()]
    assert made == []
