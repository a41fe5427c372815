"""Runs a deployment: a model server, proxies, the application and its users; what the application exported."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from ports import free_port

from proxies.deployments import SEED, Asked, Deployment
from proxies.programs import PROGRAMS

HOST: Final = "127.0.0.1"
TESTS: Final = Path(__file__).parents[1]
START: Final = 40.0
"""Seconds that a program may take until it listens."""
SETTLE: Final = 1.0
"""Seconds after the last user until the application is ended."""


@dataclass
class _Running:
    """What runs, and what ends it."""

    folder: Path
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log, (self.folder / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=log, cwd=TESTS, env={**os.environ, **(env or {})}, start_new_session=True
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.processes):
            for sent in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, sent)
                    process.wait(10)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[_Running]:
    running = _Running(folder)
    try:
        yield running
    finally:
        running.stop()


def run(deployment: Deployment, folder: Path) -> Path:
    """Runs it; the file of OTLP JSON lines that the application exported.

    Raises:
        NotInstalledError: a proxy that is not here.
    """
    with _running(folder) as running:
        model, port = free_port(), free_port()
        keep = [] if deployment.keep is None else [str(deployment.keep)]
        running.start("model", [sys.executable, str(TESTS / "proxies" / "model.py"), str(model), *keep])
        _listens(model)
        to, proxy = _chain(running, deployment.behind, model, "behind")
        application = running.start("application", _served(port), _environment(deployment, to, folder))
        _listens(port)
        front, _ = _chain(running, deployment.before, port, "before")
        asyncio.run(_users(deployment, front, running, proxy))
        time.sleep(SETTLE)
        application.terminate()
        application.wait(20)
    exported = folder / "otlp.jsonl"
    lines = (folder / "application.out").read_text(encoding="utf-8").splitlines(keepends=True)
    exported.write_text("".join(line for line in lines if line.startswith('{"resourceSpans')), encoding="utf-8")
    return exported


def _served(port: int) -> list[str]:
    return [sys.executable, "-m", "uvicorn", "--no-access-log", "--port", str(port), "proxies.application:app"]


def _environment(deployment: Deployment, model: int, folder: Path) -> dict[str, str]:
    own = {} if deployment.read_timeout is None else {"READ_TIMEOUT": str(deployment.read_timeout)}
    recorder = folder / "recorder"
    recorder.mkdir(mode=0o700, exist_ok=True)
    return {
        "MODEL": f"http://{HOST}:{model}",
        "OTEL_SERVICE_NAME": "desk",
        "OTEL_TRACES_EXPORTER": "otlp_json_file",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "AUTOGEN_STREAMTRACE_RECORDER_DIR": str(recorder),
        **own,
    }


_Proxy = tuple[list[str], "subprocess.Popen[bytes]", int]


def _chain(
    running: _Running, kinds: Sequence[tuple[str, Mapping[str, str]]], to: int, where: str
) -> tuple[int, _Proxy | None]:
    """Starts proxies, the last nearest to ``to``; the port of the first, and that one."""
    proxy = None
    for at, (kind, settings) in enumerate(reversed(kinds)):
        folder = running.folder / f"{where}-{at}-{kind}"
        folder.mkdir()
        port = free_port()
        command = PROGRAMS[kind](folder, port, to, settings)
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = running.start(folder.name, command, home)
        _listens(port)
        to, proxy = port, (command, process, port)
    return to, proxy


async def _users(deployment: Deployment, port: int, running: _Running, proxy: _Proxy | None) -> None:
    asked = deployment.asked(random.Random(SEED))
    async with httpx.AsyncClient(timeout=60.0, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        tasks = [asyncio.create_task(_user(client, port, each)) for each in asked]
        if deployment.after is not None and proxy is not None:
            await asyncio.sleep(deployment.after[0])
            await _happens(deployment.after[1], running, proxy)
        await asyncio.gather(*tasks)


async def _user(client: httpx.AsyncClient, port: int, asked: Asked) -> None:
    await asyncio.sleep(asked.at)
    url = f"http://{HOST}:{port}/ask?q={urllib.parse.quote(asked.message)}"
    with contextlib.suppress(httpx.HTTPError, asyncio.TimeoutError, TimeoutError):
        await asyncio.wait_for(client.get(url), asked.leaves)


async def _happens(what: str, running: _Running, proxy: _Proxy) -> None:
    command, process, _ = proxy
    if what == "reload":
        process.send_signal(signal.SIGHUP)
        return
    os.killpg(process.pid, signal.SIGKILL)
    await asyncio.sleep(1.0)
    running.start("again", command)


def _listens(port: int) -> None:
    give_up = time.monotonic() + START
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
