"""`diagnose` on the demo's own output, as the Collector's and as the SDK's file exporter write it."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import collector_file
import polars as pl
import pytest
from click.testing import CliRunner
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otlp_receiver import OtlpReceiver

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.run import instrumented
from autogen_streamtrace.commands.demo.scenarios.program import TASK, Program, read
from autogen_streamtrace.commands.diagnose.findings import diagnose
from autogen_streamtrace.commands.reading import files
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher, builtin

pytestmark = pytest.mark.once

CAUSES = {
    "stall": "http_client.read_timeout of 1 s, set in this process",
    "refused": "No connection to 127.0.0.1 can be made",
    "unknown_host": "No connection to no-such-host.invalid can be made",
    "fin": "127.0.0.1 closes the connection in mid-stream",
    "rst": "127.0.0.1 closes the connection in mid-stream",
    "silent": "The reply ends in mid-sentence",
    "error_event": "The provider reports an error inside the stream",
    "bad_json": "An event of the stream cannot be parsed",
    "http_401": "127.0.0.1 refuses the key (401)",
    "http_429": "127.0.0.1 limits the rate of requests (429)",
    "http_500": "127.0.0.1 fails (500)",
    "abort": "The model's engine gives up",
    "length": "The model stops at its token limit",
    "content_filter": "The provider's filter stops the reply",
}
"""Scenario, and the beginning of what is said of it. Each ends for a cause of its own."""


@pytest.fixture(scope="module")
def played() -> Iterator[OtlpReceiver]:
    """What the demo sends of these scenarios."""

    only = [word for name in CAUSES for word in ("--only", name)]
    code = "from autogen_streamtrace.cli import main; main()"
    with OtlpReceiver() as receiver:
        env = {**os.environ, **receiver.env("http/protobuf")}
        command = [sys.executable, "-c", code, "demo", "--otlp", *only]
        subprocess.run(command, env=env, check=True, timeout=55, stdout=subprocess.DEVNULL)
        yield receiver


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_each_cause_of_the_demo_is_named(played: OtlpReceiver, tmp_path: Path, signal: str) -> None:
    source = collector_file.write(tmp_path / f"{signal}.jsonl", played.requests(signal))
    result = CliRunner().invoke(app, ["diagnose", source, "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    named = [finding["title"] for finding in document["findings"]]
    assert [cause for cause in CAUSES.values() if not any(cause in title for title in named)] == []
    assert [title for title in named if not any(cause in title for cause in CAUSES.values())] == []
    assert sum(finding["lost"] for finding in document["findings"]) == document["lost"] == len(CAUSES)


def test_a_file_of_the_sdks_own_exporter_is_read(tmp_path: Path) -> None:
    source = tmp_path / "spans.jsonl"
    provider = TracerProvider(shutdown_on_exit=False)
    sdk = pytest.importorskip("opentelemetry.exporter.otlp.json.file.trace_exporter", reason="newer than this SDK")
    exporter = sdk.FileSpanExporter(source)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def turn(server: ModelServer) -> None:
        program = Program(server)
        await read(program.agent(server.url("silent")).run_stream(task=TASK))
        await program.close()

    logging.getLogger("autogen_core").setLevel(logging.CRITICAL)
    with (
        ModelServer() as server,
        instrumented(provider, MeterProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)),
    ):
        asyncio.run(turn(server))
        provider.force_flush()
    exporter.shutdown()
    streams = files.read([str(source)])
    assert set(streams.table["layer"].cast(pl.String())) == {sc.HTTP, sc.MODEL, sc.AGENT} and streams.bad == 0
    (finding,) = diagnose(streams.table, LimitMatcher(builtin())).findings
    assert finding.outcome == sc.TRUNCATED and (finding.streams, finding.lost) == (1, 1)
