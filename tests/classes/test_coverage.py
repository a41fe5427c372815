"""Every class of AutoGen's surface is in the table, watched by its patch, and does the same bare and watched."""

import asyncio
import inspect
import re
from importlib import import_module
from typing import Any

import pytest
from harness import Program, Stream, full_name, instrumented, watch
from opentelemetry.trace import NoOpTracer
from surface import programs
from surface.classes import Found, Kind, found
from surface.document import FILE, WRITE, text
from surface.table import PATCHES, TABLE, Run

from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once

BODIES: dict[Kind, dict[str, programs.Body]] = {
    "agent": programs.AGENTS,
    "team": programs.TEAMS,
    "client": programs.CLIENTS,
    "tool": programs.TOOLS,
    "workbench": programs.WORKBENCHES,
}
RUN = [(kind, name) for kind, rows in TABLE.items() for name, row in rows.items() if isinstance(row, Run)]

VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|datetime\.datetime\(.*?datetime\.timezone\.utc\)|0x[0-9a-f]+|:\d{4,5}\b|tmp\w+"
)
"""Ids, times, addresses, ports and temporary files, which differ from run to run."""


@pytest.mark.parametrize("kind", TABLE)
def test_every_class_of_the_installed_packages_is_in_the_table_and_no_other(kind: Kind) -> None:
    assert sorted(TABLE[kind]) == sorted(each.name for each in found() if each.kind == kind)


def test_every_class_that_is_run_has_a_program_and_no_other() -> None:
    assert sorted(RUN) == sorted((kind, name) for kind, bodies in BODIES.items() for name in bodies)


def imported(each: Found) -> Any:
    """The class, where what it depends on is installed."""
    try:
        return getattr(import_module(each.module), each.name)
    except ImportError:
        return None


def test_every_class_that_can_be_imported_has_the_patched_methods() -> None:
    classes = [(each, cls) for each in found() if (cls := imported(each)) is not None]
    unwatched: list[str] = []
    with instrumented():
        for each, cls in classes:
            for method in PATCHES[each.kind].methods:
                there = inspect.getattr_static(cls, method, None)
                if inspect.isfunction(there) and not _ours(there) and not _stub(cls, there):
                    unwatched.append(f"{each.name}.{method}")
    assert unwatched == []
    assert len(classes) > len(RUN)


def _ours(method: Any) -> bool:
    code = getattr(method, "__code__", None)
    return code is not None and "autogen_streamtrace" in code.co_filename


def _stub(cls: Any, method: Any) -> bool:
    """Declared, for others to define."""
    declared = getattr(cls, "_is_protocol", False) or getattr(method, "__isabstractmethod__", False)
    return bool(declared) or method.__module__ == "autogen_agentchat.base._task"


def _said(stream: Stream) -> str:
    outcome = stream["outcome"]
    return f"{stream.layer} {stream.name}" + (f": {outcome}" if outcome != "completed" else "")


async def outcome(body: programs.Body, program: Program) -> tuple[list[str], str]:
    """What a program saw."""
    try:
        return [VARYING.sub("", repr(item)) for item in await body(program)], ""
    except Exception as error:
        return [], full_name(error)


async def bare(body: programs.Body, program: Program) -> tuple[list[str], str]:
    try:
        return await outcome(body, program)
    finally:
        await program.close()


@pytest.mark.filterwarnings(
    "ignore:Using LocalCommandLineCodeExecutor:UserWarning",
    "ignore:deprecated:DeprecationWarning",
    "ignore:The Assistants API:DeprecationWarning",
)
@pytest.mark.parametrize(("kind", "name"), RUN, ids=[name for _, name in RUN])
def test_a_program_sees_the_same_bare_and_watched_and_its_streams_are_told(kind: Kind, name: str) -> None:
    body, row = BODIES[kind][name], TABLE[kind][name]
    assert isinstance(row, Run)
    with ModelServer() as server:
        expected = asyncio.run(bare(body, Program(server, NoOpTracer())))
    noticed: list[Any] = []

    async def watched(program: Program) -> None:
        noticed.append(await outcome(body, program))

    seen = watch(watched)
    assert noticed == [expected]
    assert expected[1] == ""
    assert ", ".join(map(_said, seen.streams)) == row.streams


def test_the_document_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), f"write it anew: {WRITE}"
