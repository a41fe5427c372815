"""The life of the instrument in one process, as Hypothesis mixes it; exits with 0 where all held.

A process of its own, since the providers are set up once. Seconds are short, so that what is bounded shows.
"""

import asyncio
import atexit
import contextlib
import http.server
import os
import socket
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from multiprocessing import util
from pathlib import Path
from typing import Any, Final

import httpx
import hypothesis
from hypothesis import strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import autogen_streamtrace
from autogen_streamtrace import SettingError, trace_stream, watch
from autogen_streamtrace.limits import CatalogueError

TIMEOUT: Final = 1.0
"""Seconds for a flush, and for a watch to end."""
EXPORT: Final = 3.0
"""Seconds for an export: a loaded machine is slower than a mute collector is tolerable."""
SLACK: Final = 5.0
"""Seconds by which a loaded machine may be late."""

watch.FLUSH_TIMEOUT = TIMEOUT  # type: ignore[misc]


class Collector:
    """Takes OTLP over HTTP; goes away, where it refuses; or is mute, where it takes connections and never answers."""

    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()
        self.sums: dict[tuple[str, str], int] = {}
        self.mute = False
        self._server: http.server.ThreadingHTTPServer | None = None
        self.port = 0
        self.come()

    def come(self) -> None:
        """Listens."""
        self.mute = False
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), self)
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def go(self) -> None:
        """Refuses from now on."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def here(self) -> bool:
        """It listens and answers."""
        return self._server is not None and not self.mute

    def take(self, path: str, body: bytes) -> None:
        """A request came."""
        if path.endswith("/traces"):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans.update(span.name for scope in resource.scope_spans for span in scope.spans)
        elif path.endswith("/metrics"):
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in metrics.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.sum.data_points:
                            labels = {each.key: each.value.string_value for each in point.attributes}
                            name = labels.get("streamtrace.name")
                            if name:
                                self.sums[metric.name.rpartition(".")[2], name] = point.as_int


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], collector: Collector) -> None:
        self.collector = collector
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client has gone."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.collector.mute:
            with contextlib.suppress(OSError):
                self.rfile.read(1)  # until the client goes
            return
        if self.headers.get("content-encoding"):
            body = zlib.decompress(body, 47)
        self.server.collector.take(self.path, body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


class Hooks:
    """What is registered with ``atexit`` and not taken back."""

    def __init__(self) -> None:
        self.live: list[Any] = []
        register, unregister = atexit.register, atexit.unregister

        def added(function: Any, *args: Any, **keywords: Any) -> Any:
            self.live.append(function)
            return register(function, *args, **keywords)

        def removed(function: Any) -> None:
            self.live = [each for each in self.live if each != function]
            unregister(function)

        atexit.register, atexit.unregister = added, removed  # type: ignore[assignment]


STATE: Final = Path(os.environ["XDG_STATE_HOME"])
COLLECTOR: Final = Collector()
HOOKS: Final = Hooks()
_names = iter(range(10**6))


def files() -> list[str]:
    """The recorders' files."""
    return sorted(path.name for path in STATE.rglob("*") if path.is_file())


def threads() -> list[str]:
    """Those of a watch; the others belong to the process's providers."""
    mine = ("autogen-streamtrace", "autogen-streamtrace-watcher", "autogen-streamtrace-recovery")
    return sorted(each.name for each in threading.enumerate() if each.name in mine)


def open_files() -> list[str]:
    """Without sockets: those belong to the process's providers and to the collector."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the list itself
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(each for each in found if not each.startswith("socket:"))


def surroundings() -> dict[str, list[Any]]:
    """What an application of the instrument changes, and its end or its failure changes back."""
    return {
        "files": files(),
        "threads": threads(),
        "open files": open_files(),
        "patches": [vars(each)["handle_async_request"] for each in (httpx.AsyncHTTPTransport,)],
        "atexit": list(HOOKS.live),
        "finalizers": list(util._finalizer_registry),  # type: ignore[attr-defined]
        "watches": list(watch._live),
    }


def added(before: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What there is more of by now. What an earlier watch had may be gone meanwhile: it ends in a thread of its own."""
    now = {name: list((Counter(found) - Counter(before[name])).elements()) for name, found in surroundings().items()}
    return {name: found for name, found in now.items() if found}


async def words() -> AsyncGenerator[int, None]:
    yield 1
    yield 2


class LifeCycle(RuleBasedStateMachine):
    """Begins, fails to begin, streams, flushes, forks, ends and begins again, while the collector comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.begun = False
        self.sure: set[str] = set()
        """Streams that have arrived, and must not do so again."""
        self.told: set[str] = set()
        """Streams that ended while watched."""
        self.fresh: set[str] = set()
        """Those of them that ended while the collector was there, since it last came."""
        self.held: dict[str, AsyncIterator[int]] = {}
        self.watched: set[str] = set()

    @initialize()
    def nothing_is_applied(self) -> None:
        COLLECTOR.come()
        _soon(lambda: not threads() and not files())
        self.before = surroundings()

    def name(self) -> str:
        return f"s{next(_names)}"

    @precondition(lambda self: not self.begun)
    @rule()
    def begin(self) -> None:
        autogen_streamtrace.instrument(max_names=1000)
        self.begun = True

    @precondition(lambda self: not self.begun)
    @rule(wrong=strategies.sampled_from([{"limits_file": "nowhere.toml"}, {"stall_after": -1}, {"tracer_provider": 1}]))
    def fail_to_begin(self, wrong: dict[str, Any]) -> None:
        before = surroundings()
        try:
            autogen_streamtrace.instrument(**wrong)
        except (SettingError, CatalogueError):
            assert added(before) == {}
        else:
            raise AssertionError("it did not fail")

    @rule()
    def stream(self) -> None:
        name = self.name()

        async def read() -> list[int]:
            return [item async for item in trace_stream(words(), name)]

        assert self.loop.run_until_complete(read()) == [1, 2]
        if self.begun:
            self.ended(name)

    def ended(self, name: str) -> None:
        self.told.add(name)
        if COLLECTOR.here:
            self.fresh.add(name)

    @precondition(lambda self: len(self.held) < 3)
    @rule()
    def hold_a_stream(self) -> None:
        name = self.name()
        stream = trace_stream(words(), name).__aiter__()
        assert self.loop.run_until_complete(anext(stream)) == 1
        self.held[name] = stream
        if self.begun:
            self.watched.add(name)

    @precondition(lambda self: self.held)
    @rule()
    def let_it_end(self) -> None:
        name, stream = self.held.popitem()

        async def read() -> list[int]:
            return [item async for item in stream]

        assert self.loop.run_until_complete(read()) == [2]
        if name in self.watched:
            self.told.add(name)

    @rule()
    def flush(self) -> None:
        began = time.monotonic()
        flushed = autogen_streamtrace.flush(timeout=TIMEOUT)
        assert time.monotonic() - began < TIMEOUT + SLACK
        if flushed and self.begun and COLLECTOR.here:
            assert all(COLLECTOR.spans[f"stream {name}"] for name in self.fresh), self.fresh
            self.sure |= self.fresh
            self.fresh.clear()

    @precondition(lambda self: COLLECTOR.here and not self.held)
    @rule()
    def fork(self) -> None:
        name = self.name()
        if self.begun:
            autogen_streamtrace.flush(timeout=SLACK)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                assert threads() == []
                if self.begun:
                    asyncio.run(_read(name))
                    watch.FLUSH_TIMEOUT = 4 * SLACK  # type: ignore[misc]
                    watch._live[0]._process_end.run()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        if self.begun:
            assert COLLECTOR.spans[f"stream {name}"] == 1
            assert COLLECTOR.sums["ended", name] == 1

    @precondition(lambda self: self.begun)
    @rule()
    def end(self) -> None:
        began = time.monotonic()
        autogen_streamtrace.uninstrument()
        assert time.monotonic() - began < 2 * TIMEOUT + SLACK
        self.begun = False
        self.fresh.clear()

    @rule()
    def the_collector_goes(self) -> None:
        COLLECTOR.go()
        self.fresh.clear()

    @rule()
    def the_collector_is_mute(self) -> None:
        COLLECTOR.come()
        COLLECTOR.mute = True
        self.fresh.clear()

    @rule()
    def the_collector_comes(self) -> None:
        COLLECTOR.come()

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert {name for name in self.sure if COLLECTOR.spans[f"stream {name}"] != 1} == set()
        assert {name: count for name, count in COLLECTOR.spans.items() if count > 1} == {}

    def teardown(self) -> None:
        """All that ended is counted once, and nothing is left."""
        COLLECTOR.come()
        while self.held:
            self.let_it_end()
        if not self.begun:
            self.begin()
        if self.told:
            _soon(lambda: autogen_streamtrace.flush(timeout=TIMEOUT) and self.counted())
        self.end()
        _soon(lambda: surroundings() == self.before or not hasattr(self, "before"))
        self.loop.close()

    def counted(self) -> bool:
        """Every stream that ended under a watch, once; whatever the collector did meanwhile."""
        return all(COLLECTOR.sums.get((metric, name)) == 1 for name in self.told for metric in ("started", "ended"))


async def _read(name: str) -> None:
    async for _ in trace_stream(words(), name):
        pass


def _soon(true: Any) -> None:
    """What other threads do is waited for."""
    until = time.monotonic() + 4 * SLACK
    while not true():
        assert time.monotonic() < until, surroundings()
        time.sleep(0.02)


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    os.environ.update(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{COLLECTOR.port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TIMEOUT=str(EXPORT),
        OTEL_METRIC_EXPORT_INTERVAL="60000",
    )
    autogen_streamtrace.instrument(max_names=1000)  # the providers stay
    autogen_streamtrace.uninstrument()
    run_state_machine_as_test(
        LifeCycle,
        settings=hypothesis.settings(
            derandomize=len(sys.argv) < 2,
            deadline=None,
            max_examples=int(sys.argv[1]) if len(sys.argv) > 1 else 6,
            stateful_step_count=12,
            database=None,
            phases=[hypothesis.Phase.generate],  # a failure takes long: it is not made smaller
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
