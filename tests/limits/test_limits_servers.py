"""The limits of the server that runs the process: real uvicorn and gunicorn strike, and are named."""

import os
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from otlp_receiver import OtlpReceiver
from servers import APP, LAYERS, Server, Verdicts, gunicorn, uvicorn, variables

from autogen_streamtrace.commands.chaos.model_server import ModelServer

pytestmark = pytest.mark.once

UVICORN = "uvicorn_worker.UvicornWorker"


def streaming(server: Server, told: Verdicts, fault: str = "stall") -> Any:
    """A stream of which the first words have come."""
    response = urllib.request.urlopen(f"{server.url}/response/{told.agent}/{fault}")
    assert response.read(10)
    return response


def limit(told: Verdicts, layer: str) -> tuple[Any, ...]:
    return tuple(told[layer].get(key) for key in ("outcome", "limit.id", "limit.value", "limit.source"))


def recover(receiver: OtlpReceiver) -> None:
    """What another process makes of the dead ones' recorders."""
    code = "from autogen_streamtrace.cli import main; main()"
    env = {**os.environ, **receiver.env("http/protobuf")}
    subprocess.run([sys.executable, "-c", code, "recover"], env=env, timeout=40, stdout=subprocess.DEVNULL)


def test_uvicorns_grace_is_named_on_every_layer_that_it_cuts(receiver: OtlpReceiver, model: ModelServer) -> None:
    told = Verdicts(receiver)
    command = uvicorn(APP, variables(receiver, model), "--timeout-graceful-shutdown", "1")
    with command as server, streaming(server, told):
        server.ends(signal.SIGTERM)
    grace = ("cancelled", "uvicorn.timeout_graceful_shutdown", 1.0, "configured")
    assert {layer: limit(told, layer) for layer in LAYERS} == dict.fromkeys(LAYERS, grace)


def test_gunicorns_grace_is_named_where_its_own_worker_cancels(receiver: OtlpReceiver, model: ModelServer) -> None:
    told = Verdicts(receiver)
    command = gunicorn(APP, "asgi", variables(receiver, model), "--graceful-timeout", "1")
    with command as server, streaming(server, told):
        os.kill(server.workers()[0], signal.SIGTERM)
        assert limit(told, "server") == ("cancelled", "gunicorn.graceful_timeout", 1.0, "configured")


def test_gunicorns_grace_is_named_where_it_kills(receiver: OtlpReceiver, model: ModelServer) -> None:
    told = Verdicts(receiver)
    command = gunicorn(APP, UVICORN, variables(receiver, model), "--graceful-timeout", "2")
    with command as server, streaming(server, told):
        server.ends(signal.SIGTERM)
    recover(receiver)
    assert limit(told, "server") == ("killed", "gunicorn.graceful_timeout", 2.0, "configured")


@pytest.mark.parametrize(("worker", "timeout"), [(UVICORN, 5.0), ("asgi", 4.0)])
def test_gunicorns_worker_timeout_is_named(
    receiver: OtlpReceiver, model: ModelServer, worker: str, timeout: float
) -> None:
    told = Verdicts(receiver)
    limits = ("--timeout", f"{timeout:g}", "--graceful-timeout", "1")
    with gunicorn(APP, worker, variables(receiver, model), *limits) as server, streaming(server, told):
        with pytest.raises(OSError):
            urllib.request.urlopen(f"{server.url}/blocks/20").close()
        killed = ("killed", "gunicorn.timeout", timeout, "configured")
        assert {layer: limit(told, layer) for layer in LAYERS} == dict.fromkeys(LAYERS, killed)


def test_a_worker_that_is_killed_while_it_is_well_names_no_limit(receiver: OtlpReceiver, model: ModelServer) -> None:
    told = Verdicts(receiver)
    limits = ("--timeout", "10", "--graceful-timeout", "1")
    with gunicorn(APP, UVICORN, variables(receiver, model), *limits) as server, streaming(server, told):
        os.kill(server.workers()[0], signal.SIGKILL)
        assert limit(told, "server") == ("killed", None, None, None)
