"""SDKs that lack a private name, are only half there, or are of a version that was not tested."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import pytest
from harness import Program, instrumented
from opentelemetry import trace
from sdks.asking import MESSAGES, WAYS, genai_client, openai_client

import autogen_streamtrace
from autogen_streamtrace import neighbours
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.neighbours import Private, sdks

pytestmark = pytest.mark.once

ASKED: Final = ("chat", "chat in a thread", "chat, raw", "messages", "groq", "ollama", "contents")
GENERATED: Final = ("chat", "chat in a thread", "chat, raw", "messages", "groq")
LOST: Final[dict[str, tuple[str, ...]]] = {
    "RESPONSE": (),  # the HTTP exchange tells the end of the one that has lost its items
    "ITERATOR": (),
    "OLLAMA_REQUEST": ("ollama",),
    "GENAI_STREAM": ("contents",),
    "GENAI_REPLY": ("contents, whole",),
}
"""Whose ``model`` layer is gone without a name."""
PACKAGES: Final = {
    "RESPONSE": ["anthropic", "groq", "openai"],
    "ITERATOR": ["anthropic", "groq", "openai"],
    "OLLAMA_REQUEST": ["ollama"],
    "GENAI_STREAM": ["google-genai"],
    "GENAI_REPLY": ["google-genai"],
}
"""Who is warned of."""


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_said", set())
    monkeypatch.setattr(neighbours, "_untested", set())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [each for each in caplog.records if each.name.startswith("autogen_streamtrace") and each.levelno >= 30]
    return sorted(each.getMessage() for each in ours)


async def asks(program: Program, name: str) -> Any:
    """What the program gets."""
    if name == "contents, whole":
        models = genai_client(program, "ok").aio.models
        return (await models.generate_content(model="gemini-2.5-flash", contents="x")).text
    if name == "chat, whole":
        completions = openai_client(program, "ok").chat.completions
        return (await completions.create(model="gpt-4o", messages=MESSAGES)).choices[0].message.content
    items = await WAYS[name].ask(program, "silent", 20.0) or ()
    return [item.text if name == "contents" else repr(item) for item in items]


class Told:
    """What the same programs get, and what is told of them."""

    def __init__(self, model: ModelServer, *names: str) -> None:
        self.got: dict[str, Any] = {}
        self.layers: dict[str, list[str]] = {}
        told = 0
        with instrumented() as applied:
            for name in names or (*ASKED, "chat, whole", "contents, whole"):
                asyncio.run(self._run(Program(model, trace.get_tracer("the program")), name))
                autogen_streamtrace.flush()
                streams = applied.seen().streams
                self.layers[name] = [f"{s.layer}: {s['outcome']}" for s in streams[told:]]
                told = len(streams)

    async def _run(self, program: Program, name: str) -> None:
        self.got[name] = await asks(program, name)
        await program.close()


@pytest.fixture(scope="module")
def module_model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def whole(module_model: ModelServer) -> Told:
    """What is told where nothing is missing."""
    return Told(module_model)


def test_nothing_is_missing_here(whole: Told, caplog: pytest.LogCaptureFixture) -> None:
    assert {name: layers for name, layers in whole.layers.items() if "whole" not in name} == {
        name: ["model: truncated", "http: truncated"] for name in ASKED
    }
    assert warnings(caplog) == []


@pytest.mark.parametrize("name", LOST)
def test_a_name_that_is_gone_costs_no_more_than_is_said(
    name: str,
    whole: Told,
    module_model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    private: Private = getattr(sdks, name)
    gone = f"{private.attribute}_of_yore"
    monkeypatch.setattr(private, "attribute", gone)
    without = Told(module_model)
    assert without.got == whole.got
    assert {each for each in whole.layers if without.layers[each] != whole.layers[each]} == set(LOST[name])
    assert all(layers[-1] == whole.layers[each][-1] for each, layers in without.layers.items())
    said = warnings(caplog)
    assert [each.partition(" ")[0] for each in said] == PACKAGES[name]
    assert all(gone in each and private.without in each for each in said)


def test_an_sdk_without_its_one_method_is_watched_as_http_alone(
    whole: Told, module_model: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sdks, "REQUEST", "request_of_yore")
    without = Told(module_model, *GENERATED)
    assert without.got == {name: whole.got[name] for name in GENERATED}
    assert without.layers == {name: ["http: truncated"] for name in GENERATED}
    clients = [f"{sdk} {kind}" for sdk in ("anthropic", "groq", "openai") for kind in ("AsyncClient", "Client")]
    assert [f"{each.split()[0]} {each.split()[4].partition('.')[0]}" for each in warnings(caplog)] == clients


@pytest.mark.parametrize("installed", ["0.1.0", "99.0.0"])
def test_a_version_that_was_not_tested_is_told_once_and_watched(
    installed: str,
    whole: Told,
    module_model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = neighbours.version
    monkeypatch.setattr(neighbours, "version", lambda name: installed if name in sdks.TESTED else real(name))
    monkeypatch.setattr(sdks.ITERATOR, "attribute", "_iterator_of_yore")
    told = Told(module_model)
    assert (told.got, told.layers) == (whole.got, whole.layers)
    assert [each.partition(" was")[0] for each in warnings(caplog)] == [
        f"{sdk} {installed}" for sdk in sorted(sdks.TESTED)
    ]


@pytest.mark.parametrize("module", ["openai", "anthropic", "ollama", "google.genai.models"])
def test_an_sdk_that_is_half_imported_changes_nothing(module: str) -> None:
    code = f"""
        import sys, types
        sys.modules[{module!r}] = half = types.ModuleType({module!r})
        import autogen_streamtrace
        autogen_streamtrace.instrument(recorder=False)
        autogen_streamtrace.uninstrument()
        print(vars(half).keys() - vars(types.ModuleType("x")).keys())
    """
    environment = {**os.environ, **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=40, check=False)
    assert (ended.returncode, ended.stdout) == (0, "set()\n"), ended.stderr
