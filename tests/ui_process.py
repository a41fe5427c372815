"""`autogen-streamtrace ui` as a process of its own, on free ports."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from autogen_streamtrace.core import semconv as sc

FREE: Final = ("--port", "0", "--grpc-port", "0", "--http-port", "0", "--no-browser")
_SLOWEST: Final = 40.0
"""Seconds for it to begin, on a busy machine."""


@dataclass
class Ui:
    """A page that runs."""

    process: "subprocess.Popen[str]"
    page: str
    grpc: str
    http: str
    folder: Path

    def get(self, path: str) -> Any:
        """The JSON of an answer."""
        return json.loads(ask(f"{self.page}{path}")[2])

    def until(self, path: str, enough: Callable[[Any], object]) -> Any:
        """The JSON of an answer, asked for until it is enough."""
        end = time.monotonic() + _SLOWEST
        while not enough(found := self.get(path)):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    def post(self, signal: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to an export request."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return ask(f"{self.http}/v1/{signal}", body, {"content-type": "application/json", **named})

    def end(self) -> None:
        """Ends it as Ctrl-C does."""
        self.process.terminate()
        assert self.process.wait(40) == 0, self.process.stderr


def ask(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of an answer; a redirect is not followed."""
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers or {}), timeout=_SLOWEST) as answer:
            return answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): text for name, text in error.headers.items()}, error.read()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@contextmanager
def running(
    folder: Path, *arguments: str, before: Callable[[], object] | None = None, within: Sequence[str] = ()
) -> Iterator[Ui]:
    """A page that is ready; killed at the latest at the end.

    Args:
        folder: of its store, and of the user's state.
        arguments: more of the command line.
        before: called in the new process before it begins.
        within: the command that runs it, such as in mounts of its own.
    """
    state = folder / "state"
    process = subprocess.Popen(
        [
            *within,
            sys.executable,
            "-m",
            "autogen_streamtrace",
            "ui",
            *FREE,
            "--store",
            str(folder / "store"),
            *arguments,
        ],
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )
    try:
        yield _ready(process, folder / "store")
    finally:
        process.kill()
        process.communicate(timeout=20)


def _ready(process: "subprocess.Popen[str]", folder: Path) -> Ui:
    assert process.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, f"{said}{process.communicate()[1]}"
        said += line
    page = re.search(r"http://\S+/(?:\?\S*)?", said)
    grpc = re.search(r"(\S+) \(OTLP over gRPC\)", said)
    http = re.search(r"(\S+) \(OTLP over HTTP\)", said)
    assert page and grpc and http, said
    return Ui(process, page[0], grpc[1], http[1], folder)


def spans(count: int, **attributes: Any) -> list[ReadableSpan]:
    """Finished spans of streams that went well, each a turn of its own, as the SDK has them."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "desk", "service.version": "1"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    told = {
        sc.A_LAYER: sc.AGENT,
        sc.A_NAME: "helper",
        sc.A_OUTCOME: sc.COMPLETED,
        sc.A_ENDED_BY: "model",
        sc.A_EARLY: False,
        sc.A_FAULT: False,
        sc.A_ORIGIN: True,
        sc.A_OUTERMOST: True,
        **attributes,
    }
    for _ in range(count):
        provider.get_tracer(sc.SCOPE).start_span("invoke_agent helper", attributes=told).end()
    return list(kept.get_finished_spans())


def exporter(ui: Ui, how: str) -> GrpcExporter | HttpExporter:
    """The SDK's own exporter: ``grpc`` or ``http``, with ``+gzip`` where it packs."""
    if how.startswith("grpc"):
        import grpc  # type: ignore[import-untyped]

        packed = grpc.Compression.Gzip if how.endswith("gzip") else None
        return GrpcExporter(f"http://{ui.grpc}", insecure=True, compression=packed)
    packed_http = Compression.Gzip if how.endswith("gzip") else Compression.NoCompression
    return HttpExporter(f"{ui.http}/v1/traces", compression=packed_http)
