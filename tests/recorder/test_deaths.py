"""Ways to die, or nearly: forks, memory that has run out, an interpreter that is held up."""

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from harness import Program, instrumented
from otlp_receiver import OtlpReceiver
from processes import LATE, kill, left_behind, recover, streams, told, victim

from autogen_streamtrace import trace_stream
from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once


def test_a_parent_is_recovered_while_its_child_lives(receiver: OtlpReceiver, state: Path) -> None:
    """The child has closed the parent's file: it does not keep its lock."""
    with victim(receiver, "forks", **LATE) as process:
        child = int(process.stdout.readline()) if process.stdout else 0
        kill(process)
        recover(receiver)
        os.kill(child, 9)
    assert told(receiver).count(("stream", "open", "killed")) == 2
    assert len({span.resource["service.instance.id"] for span in streams(receiver)}) == 1


def test_memory_that_runs_out_in_a_tool_is_the_tools_failure(receiver: OtlpReceiver, state: Path) -> None:
    """Under a limit of the kernel's. The process goes on, and its streams are told by itself."""
    with ModelServer() as model, victim(receiver, "runs_out_of_memory", model.url("tool_call")) as process:
        assert process.wait(50) == 0
    found = {layer: outcome for layer, _, outcome in told(receiver)}
    assert found["tool"] == "failed"
    (tool,) = [span for span in streams(receiver) if span.attributes["streamtrace.layer"] == "tool"]
    assert tool.attributes["streamtrace.cause.type"] == "MemoryError"
    assert left_behind(state) == []


def test_an_interpreter_held_up_by_c_code_is_told_once_it_goes_on() -> None:
    """A regular expression keeps every thread from running, the watcher too."""

    async def words() -> AsyncGenerator[str, None]:
        yield "one"
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        length = 20
        while time.monotonic() - begun < 1.0:
            begun = time.monotonic()
            re.match(r"(a*)*b", "a" * length)
            length += 1
        yield "two"
        await asyncio.sleep(0.3)

    async def main() -> None:
        async for _ in trace_stream(words(), "held up"):
            pass

    with ModelServer() as server, instrumented(stall_after=0.5) as applied:
        Program(server, applied.tracer_provider.get_tracer("the program"))
        asyncio.run(main())
        told = [event.attributes for event in applied.events() if event.name == "streamtrace.stall"]
    blocked = [each for each in told if each["streamtrace.stall.loop_blocked"] is True]
    assert blocked and blocked[-1]["streamtrace.silence"] >= 0.5
