"""The fixtures and the options. It imports nothing but pytest until a fixture is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from autogen_streamtrace.commands.chaos.model_server import ModelServer
    from autogen_streamtrace.testing.streams import Streams

OPTION: Final = "--streamtrace-report"
PROPERTY: Final = "streamtrace"
"""The property of a test's report that carries its turns from a worker of xdist."""

TOLD: Final = pytest.StashKey["Streams"]()
"""Where a test keeps its streams."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("streamtrace", "streams of models, agents and teams")
    group.addoption(OPTION, action="store_true", help="list each test's turns, and how they ended")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(OPTION):
        config.pluginmanager.register(_Report(), "streamtrace-report")


@pytest.fixture
def model_server() -> "Iterator[ModelServer]":
    """A model on loopback: OpenAI, Anthropic, Ollama and Gemini. Its URLs and its rules set what it cuts."""
    try:
        from autogen_streamtrace.commands.chaos.model_server import ModelServer
    except ModuleNotFoundError as error:
        pytest.fail(f"model_server needs {error.name}: pip install 'autogen-streamtrace[chaos]'")
    with ModelServer() as server:
        yield server


@pytest.fixture
def streamtrace_settings() -> dict[str, Any]:
    """The keywords of ``instrument()`` in a test that uses ``streams``. Override it for providers of your own."""
    return {}


@pytest.fixture
def streams(request: pytest.FixtureRequest, streamtrace_settings: dict[str, Any]) -> "Iterator[Streams]":
    """Everything that is told of the streams of this test, in memory."""
    from autogen_streamtrace.testing.streams import watched

    with watched(**streamtrace_settings) as told:
        request.node.stash[TOLD] = told
        yield told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Any:
    """Adds the turns to the report of a test that failed."""
    report = yield
    told = item.stash.get(TOLD, None)
    if told is not None and call.when == "call" and report.failed and (lines := str(told)):
        report.sections.append(("streams", lines))
    return report


class _Report:
    """Watches every test, and lists the turns at the end."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @pytest.fixture(autouse=True)
    def _reported(self, request: pytest.FixtureRequest, streams: "Streams") -> Iterator[None]:
        yield
        if told := str(streams):
            request.node.user_properties.append((PROPERTY, told))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._lines += [f"{report.nodeid}\n{text}" for name, text in report.user_properties if name == PROPERTY]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("streams")
        for lines in self._lines or ["no test had a stream"]:
            terminalreporter.write_line(lines)
