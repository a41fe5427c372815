"""What is imported when: a program pays for what it uses. Each in a process of its own."""

import subprocess
import sys

import pytest

import autogen_streamtrace

pytestmark = pytest.mark.once

ALONE = """
import asyncio
import autogen_streamtrace

async def words():
    yield "one"

async def main():
    assert [word async for word in autogen_streamtrace.trace_stream(words(), "words")] == ["one"]

asyncio.run(main())
assert autogen_streamtrace.open_streams() == []
"""
NO_EXPORTERS = "".join(f"os.environ['OTEL_{each}_EXPORTER'] = 'none'\n" for each in ("TRACES", "METRICS", "LOGS"))
INSTRUMENTED = f"import os, autogen_streamtrace\n{NO_EXPORTERS}autogen_streamtrace.instrument(recorder=False)\n"
BOTH_WATCHED = """
import httpx, httpx2
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
applied = (HTTPXClientInstrumentor, HTTPX2ClientInstrumentor)
assert [each().is_instrumented_by_opentelemetry for each in applied] == [True, True]
for client in (httpx, httpx2):
    outer = vars(client.HTTPTransport)["handle_request"]
    assert type(outer).__name__ == "FunctionWrapper" and "flow/http/exchange" in outer.__wrapped__.__code__.co_filename
autogen_streamtrace.uninstrument()
assert [each().is_instrumented_by_opentelemetry for each in applied] == [False, False]
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    return done


def imported(program: str) -> set[str]:
    """The modules that are there at the program's end."""
    return set(run(f"{program}\nimport sys\nprint(*sys.modules, sep='\\n')").stdout.split())


def packages(program: str) -> set[str]:
    """The packages beside the standard library that it imports, the import system's own hooks left out."""
    bare = {name.partition(".")[0] for name in imported("")}
    found = {name.partition(".")[0] for name in imported(program)}
    return found - bare - sys.stdlib_module_names - {"__mp_main__"}


def test_a_stream_of_ones_own_without_instrument_needs_no_other_package() -> None:
    assert packages(ALONE) == {"autogen_streamtrace"}


def test_what_watches_a_stream_needs_nothing_but_the_api_and_wrapt() -> None:
    found = imported("import autogen_streamtrace.flow.python.user_stream")
    beside = {name.partition(".")[0] for name in found} - {name.partition(".")[0] for name in imported("")}
    assert beside - sys.stdlib_module_names <= {"autogen_streamtrace", "opentelemetry", "typing_extensions", "wrapt"}
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation")
    assert [name for name in found if name.startswith(heavy)] == []


def test_to_instrument_imports_no_client_and_no_command() -> None:
    found = imported(INSTRUMENTED)
    assert found & {"httpx", "httpx2", "opentelemetry.instrumentation.httpx", "pydantic", "rich", "click"} == set()
    assert [name for name in found if name.startswith("autogen_streamtrace.commands")] == []


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import httpx",
        "import httpx2",
        "import httpx, httpx2",
        "import opentelemetry.instrumentation.httpx",
        "import httpx; import opentelemetry.instrumentation.httpx",
    ],
)
@pytest.mark.parametrize("order", ["instrument first", "import first"])
def test_the_official_instrumentations_are_applied_in_whatever_order_their_clients_come(
    before: str, order: str
) -> None:
    steps = [INSTRUMENTED, before + "\n"]
    imported("".join(steps if order == "instrument first" else reversed(steps)) + BOTH_WATCHED)


def test_an_official_instrumentation_that_cannot_come_without_httpx_is_told_in_one_warning() -> None:
    done = run(f"""
import importlib.abc, importlib.util, sys
sys.modules["httpx"] = None  # not installed

class Old(importlib.abc.MetaPathFinder, importlib.abc.Loader):  # before 0.65b0
    def find_spec(self, name, path=None, target=None):
        if name == "opentelemetry.instrumentation.httpx":
            return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module):
        import httpx

sys.meta_path.insert(0, Old())
{INSTRUMENTED}
import httpx2
from autogen_streamtrace.core.errors import contained_errors
assert contained_errors() == 0
""")
    (warning,) = done.stderr.splitlines()
    assert "needs httpx, which is not installed, and does not know httpx2" in warning
    assert "Install opentelemetry-instrumentation-httpx>=0.65b0." in warning


def test_what_the_program_has_applied_itself_stays() -> None:
    imported(
        f"""
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
HTTPXClientInstrumentor().instrument()
{INSTRUMENTED}
autogen_streamtrace.uninstrument()
assert HTTPXClientInstrumentor().is_instrumented_by_opentelemetry
"""
    )


def test_every_public_name_is_there_and_listed() -> None:
    assert [name for name in autogen_streamtrace.__all__ if not hasattr(autogen_streamtrace, name)] == []
    assert set(autogen_streamtrace.__all__) <= set(dir(autogen_streamtrace))


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match=r"'autogen_streamtrace' has no attribute 'instruments'"):
        autogen_streamtrace.instruments  # type: ignore[attr-defined]  # noqa: B018
