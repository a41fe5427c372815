"""The demo: every ending told right, exit statuses, output, and nothing sent unless asked."""

import asyncio
import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from otlp_receiver import OtlpReceiver
from rich.console import Console

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands import extras
from autogen_streamtrace.commands.chaos.model_server import HOST, ModelServer
from autogen_streamtrace.commands.demo.run import SERVICE, Demo
from autogen_streamtrace.commands.demo.scenarios import SCENARIOS
from autogen_streamtrace.commands.demo.scenarios.frameworks import FRAMEWORKS
from autogen_streamtrace.commands.demo.scenarios.frameworks import scenarios as of_framework
from autogen_streamtrace.commands.demo.view import View
from autogen_streamtrace.core import semconv

COMMAND = (sys.executable, "-c", "from autogen_streamtrace.cli import main; main()", "demo")


@pytest.fixture(scope="module")
def stage() -> Iterator[Demo]:
    with Demo() as demo:
        yield demo


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def demo(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user does."""
    env = {**os.environ, **environment}
    return subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.filterwarnings("ignore:No text content or tool calls are available")
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_ending_is_told_right(stage: Demo, name: str) -> None:
    row = asyncio.run(stage.play(SCENARIOS[name]))
    assert row.wrong == ()


@pytest.mark.once
@pytest.mark.parametrize(
    ("framework", "name"),
    [(framework, name) for framework, each in FRAMEWORKS.items() for name in of_framework(each)],
)
def test_each_ending_of_another_framework_is_told_right(stage: Demo, framework: str, name: str) -> None:
    if not all(map(find_spec, FRAMEWORKS[framework].modules)):
        pytest.skip(f"not installed: {' or '.join(FRAMEWORKS[framework].modules)}")
    row = asyncio.run(stage.play(of_framework(FRAMEWORKS[framework])[name]))
    assert row.wrong == ()


def test_a_framework_that_is_missing_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name.startswith("agent_framework") else name)
    done = CliRunner().invoke(app, ["demo", "--framework", "agent-framework", "--list"])
    assert done.exit_code == 2
    assert "pip install 'autogen-streamtrace[frameworks]'" in done.output


def test_a_wrong_verdict_is_seen(stage: Demo) -> None:
    scenario = SCENARIOS["silent"]
    says = tuple(replace(expected, outcome=semconv.COMPLETED) for expected in scenario.says)
    row = asyncio.run(stage.play(replace(scenario, says=says, raises=".+")))
    assert len([sentence for sentence in row.wrong if "outcome is truncated, expected completed" in sentence]) == 3
    assert "the program saw no exception, expected .+" in row.wrong


def test_rows_show_the_verdict_and_the_exit_status_is_0() -> None:
    result = demo("--only", "silent", "--only", "retry")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"silent +the body ends cleanly .* truncated +upstream +none +right", result.stdout)
    assert re.search(r"retry .* completed +model +none +right", result.stdout)
    assert re.search(r"http 127.0.0.1 .* rejected +upstream", result.stdout)
    assert "2 of 2 endings judged right" in result.stdout


def test_a_narrow_terminal_breaks_no_word(stage: Demo) -> None:
    shown = io.StringIO()
    View(Console(file=shown, width=80), 1).show(asyncio.run(stage.play(SCENARIOS["stall"])))
    words = shown.getvalue().split()
    assert {"timeout,", "http_client,", "httpx2.ReadTimeout,", "http_client.read_timeout"} <= {
        word.replace("httpx.", "httpx2.") for word in words
    }


def test_json_is_one_document() -> None:
    result = demo("--json", "--only", "length", "--only", "never_read")
    document = json.loads(result.stdout)
    assert (result.returncode, document["right"], document["total"]) == (0, 2, 2)
    length, never_read = document["rows"]
    assert [stream[semconv.A_OUTCOME] for stream in length["streams"]] == ["length", "length", "completed"]
    assert never_read["streams"][0][semconv.A_OUTCOME] == semconv.NEVER_STARTED


def test_a_wrong_row_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCENARIOS, "ok", replace(SCENARIOS["ok"], says=()))
    result = CliRunner().invoke(app, ["demo", "--only", "ok"])
    assert result.exit_code == 1
    assert "agent: 1 streams, expected 0" in result.output
    assert "0 of 1 endings judged right" in result.output


def test_what_a_scenario_is_about_is_not_warned_of() -> None:
    result = demo("--only", "unknown_finish")
    assert (result.returncode, result.stderr) == (0, "")


def test_an_unknown_name_is_exit_status_2() -> None:
    result = CliRunner().invoke(app, ["demo", "--only", "nope"])
    assert result.exit_code == 2
    assert "unknown scenario 'nope'; known are ok, empty" in result.output


def test_without_autogen_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "autogen_ext" else object())
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 2
    assert "demo needs autogen_ext:" in result.output
    assert "pip install 'autogen-streamtrace[demo]'" in result.output


def test_list_names_every_scenario_and_plays_none() -> None:
    result = CliRunner().invoke(app, ["demo", "--list"])
    assert [line.split()[0] for line in result.output.splitlines()] == list(SCENARIOS)


def test_nothing_is_sent_and_nothing_complains_whatever_the_environment() -> None:
    hostile = {
        "OTEL_SDK_DISABLED": "true",
        "OTEL_TRACES_SAMPLER": "always_off",
        "AUTOGEN_STREAMTRACE_EVENTS": "wrong",
        "HTTP_PROXY": f"http://{HOST}:9",
        "ALL_PROXY": f"http://{HOST}:9",
    }
    with OtlpReceiver() as receiver:
        result = demo("--only", "stall", **hostile, **receiver.env("http/protobuf"))
    assert (result.returncode, result.stderr) == (0, "")
    assert not receiver.requests()


def test_otlp_sends_every_signal() -> None:
    with OtlpReceiver() as receiver:
        result = demo("--otlp", "--only", "stall", OTEL_TRACES_SAMPLER="always_off", **receiver.env("http/protobuf"))
    assert (result.returncode, result.stderr) == (0, "")
    assert {"demo stall", "http exchange", "chat gpt-4o", "invoke_agent support_agent"} <= {
        span.data.name for span in receiver.spans()
    }
    assert {metric.data.name for metric in receiver.metrics()} >= {semconv.M_STARTED, semconv.M_ENDED, semconv.M_CUT}
    assert {log.data.event_name for log in receiver.logs()} == {semconv.E_START, semconv.E_END}
    for received in (receiver.spans(), receiver.metrics(), receiver.logs()):
        assert {each.resource["service.name"] for each in received} == {SERVICE}


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")]
)
def test_otlp_with_a_wrong_environment_is_exit_status_2(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = CliRunner().invoke(app, ["demo", "--otlp", "--only", "ok"])
    assert result.exit_code == 2
    assert variable in result.output


def post(server: ModelServer, connection: HTTPConnection, fault: str) -> HTTPResponse:
    path = server.url(fault).partition(str(server.port))[2]
    connection.request("POST", f"{path}/chat/completions", json.dumps({"stream": True}))
    return connection.getresponse()


def test_the_model_server_keeps_a_whole_replys_connection(server: ModelServer) -> None:
    connection = HTTPConnection(HOST, server.port)
    with contextlib.closing(connection):
        for _ in range(3):
            assert post(server, connection, "ok").read().endswith(b"data: [DONE]\n\n")
            assert connection.sock is not None


def test_the_model_server_outlives_a_client_that_vanishes(server: ModelServer) -> None:
    vanishing = HTTPConnection(HOST, server.port)
    post(server, vanishing, "slow")
    vanishing.close()
    with contextlib.closing(HTTPConnection(HOST, server.port)) as connection:
        assert post(server, connection, "http_429").status == 429


def test_the_model_server_stops_with_a_stream_open() -> None:
    server = ModelServer().start()
    with contextlib.closing(HTTPConnection(HOST, server.port)) as connection:
        response = post(server, connection, "stall")
        server.stop()
        server.stop()
        with pytest.raises(IncompleteRead):
            response.read()


def test_the_model_server_knows_its_faults(server: ModelServer) -> None:
    with pytest.raises(ValueError, match="unknown manner or fault 'nope'; known are ok, empty"):
        server.url("nope")
