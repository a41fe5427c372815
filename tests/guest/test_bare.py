"""With nothing to watch: no AutoGen, no HTTP client, no web server. Runs also where none of them is installed."""

import os
import subprocess
import sys
import textwrap

import pytest

FRAMEWORKS = ("agent_framework", "autogen_agentchat", "autogen_core", "autogen_ext")
SDKS = ("anthropic", "groq", "ollama", "openai")
CLIENTS = ("httpx", "httpx2")
SERVERS = ("gunicorn", "starlette", "uvicorn")
WATCHABLE = (*FRAMEWORKS, *SDKS, *CLIENTS, *SERVERS)
ABSENT = (*WATCHABLE, "fastapi", "orjson", "plotly", "polars")

WITHOUT = f"""
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec

    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT!r} else found(name, path, target)

    PathFinder.find_spec = staticmethod(find_spec)
"""

WATCHED = """
    import asyncio
    import autogen_streamtrace as streamtrace

    async def words():
        yield "one"

    async def main():
        stream = streamtrace.trace_stream(words(), "words")
        assert await stream.__anext__() == "one"
        assert [each.name for each in streamtrace.open_streams()] == ["words"]
        return [word async for word in stream]

    streamtrace.instrument(events="all")
    assert asyncio.run(main()) == []
    assert streamtrace.open_streams() == []
    streamtrace.uninstrument()
    print("done")
"""

LOGGED = """
    import logging
    logging.basicConfig(level=logging.{level}, format="%(levelname)s %(name)s %(message)s")
"""


def run(*programs: str) -> "subprocess.CompletedProcess[str]":
    """Runs the programs, one after the other, where none of ``ABSENT`` can be found."""
    code = "\n".join(map(textwrap.dedent, (WITHOUT, *programs)))
    exporters = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **exporters},
        capture_output=True,
        text=True,
        timeout=40,
    )


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_absent_cannot_be_imported(name: str) -> None:
    assert f"No module named {name!r}" in run(f"import {name}").stderr


def test_it_works_and_says_nothing() -> None:
    done = run(LOGGED.format(level="INFO"), WATCHED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_debug_line_names_each_package_that_is_skipped() -> None:
    told = run(LOGGED.format(level="DEBUG"), WATCHED).stderr.splitlines()
    ours = [line.split() for line in told if line.startswith("DEBUG autogen_streamtrace")]
    skipped = {words[2] for words in ours if "installed," in words}
    assert skipped == set(WATCHABLE)


def test_nothing_that_is_absent_was_asked_for() -> None:
    done = run(WATCHED, f"import sys; print(sorted(set(sys.modules) & set({ABSENT!r})))")
    assert done.stdout == "done\n[]\n", done.stderr


def test_the_loaders_way_in_works() -> None:
    done = run(
        LOGGED.format(level="INFO"),
        """
        from importlib.metadata import entry_points
        (ours,) = entry_points(group="opentelemetry_instrumentor", name="autogen_streamtrace")
        ours.load()().instrument()
        from autogen_streamtrace import Instrumentor
        print(Instrumentor().watch is not None)
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_the_command_line_answers() -> None:
    done = run("import sys; sys.argv[1:] = ['--help']; from autogen_streamtrace.cli import main; main()")
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout


@pytest.mark.parametrize("command", [["diagnose", "spans.jsonl"], ["probe", "http://127.0.0.1:9/"], ["echo"]])
def test_a_command_without_its_packages_says_what_to_install(command: list[str]) -> None:
    done = run(f"import sys; sys.argv[1:] = {command!r}; from autogen_streamtrace.cli import main; main()")
    assert done.returncode == 2
    assert done.stderr.endswith("  pip install 'autogen-streamtrace[ui]'\n")


def test_an_audit_needs_no_package() -> None:
    code = "import autogen_streamtrace; print(autogen_streamtrace.audit(server='uvicorn app:app'))"
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert "timeout_graceful_shutdown" in done.stdout
