"""The same ground under every test, whatever the environment of whoever runs them.

``STREAMTRACE_TEST_LOOP`` names the event loop under ``asyncio.run``: ``asyncio`` or ``uvloop``.
"""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from autogen_streamtrace.core import errors

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver

    from autogen_streamtrace.commands.chaos.model_server import ModelServer

LOOP = os.environ.get("STREAMTRACE_TEST_LOOP", "asyncio")  # stays there for the workers of xdist
FOREIGN_PREFIXES = ("AUTOGEN_STREAMTRACE_", "OPENAI_", "OTEL_")
FOREIGN = (
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)

# For the test that installs from a registry; stays there for the workers, too.
os.environ.setdefault(
    "STREAMTRACE_TEST_NETWORK",
    json.dumps({name: value for name, value in os.environ.items() if name.upper() in FOREIGN}),
)

for name in list(os.environ):
    if name.startswith(FOREIGN_PREFIXES) or name.upper() in FOREIGN:
        del os.environ[name]

if LOOP == "uvloop":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
elif LOOP != "asyncio":
    raise ValueError(f"STREAMTRACE_TEST_LOOP={LOOP!r}; allowed: asyncio, uvloop")

# A loaded machine is slow, which is no defect. `--hypothesis-profile=explore` looks for examples that are new.
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.register_profile("streams", deadline=None, derandomize=True)
hypothesis.settings.load_profile("streams")


@pytest.fixture(scope="module", autouse=True)
def module_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same for what a module starts once, before the first of its tests."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(directory))
        yield directory / "autogen-streamtrace"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own: no process of another one's recovers what it leaves behind."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "autogen-streamtrace"


@pytest.fixture
def receiver() -> Iterator["OtlpReceiver"]:
    """Takes OTLP on loopback."""
    from otlp_receiver import OtlpReceiver  # not needed where nothing is installed to watch

    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def model() -> Iterator["ModelServer"]:
    """Answers as a model's server does, in the way that a request's path asks for."""
    from autogen_streamtrace.commands.chaos.model_server import ModelServer

    with ModelServer() as running:
        yield running


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(autouse=True)
def no_own_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """A defect of ours fails the test in which it shows, unless that is what the test is about."""
    if request.node.get_closest_marker("own_errors"):
        yield
        return
    before = errors.contained_errors()
    errors.raise_errors(True)
    yield
    errors.raise_errors(False)
    assert errors.contained_errors() == before, "an error of our own was contained; the log has its traceback"
