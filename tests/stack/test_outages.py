"""The Collector or a store goes away for a while: nothing accepted is lost, and the program does not notice."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autogen_streamtrace.core import semconv

from .collector import CONFIG, STORE, Collector
from .runs import PROGRAMS
from .sending import COMPLETED, TIMED_OUT, Ids, Sender, event, span
from .server import HOST, eventually

pytestmark = pytest.mark.timeout(120)

LOAD = 100
"""Requests of each signal, before, meanwhile and after."""
AWAY = 6.0
"""Seconds that the Collector is away from a program that runs on."""
HOLD_UP = AWAY / 2
"""Seconds; an export that blocked the event loop would hold it up as long as the Collector is away."""


@pytest.fixture
def store(tmp_path: Path) -> Collector:
    """Not started."""
    return Collector(tmp_path / "store", STORE)


@pytest.fixture
def collector(tmp_path: Path, store: Collector) -> Iterator[Collector]:
    """Running, with the store behind every exporter."""
    to = f"http://{HOST}:{store.http_port}"
    stores = {
        "PROMETHEUS_OTLP_ENDPOINT": to,
        "LOKI_OTLP_ENDPOINT": to,
        "TEMPO_OTLP_ENDPOINT": f"{HOST}:{store.grpc_port}",
    }
    with Collector(tmp_path / "collector", CONFIG, SAMPLING_REST_PERCENT="100", **stores) as running:
        yield running
    store.stop()


@pytest.fixture
def sender(collector: Collector) -> Iterator[Sender]:
    with contextlib.closing(Sender(collector.http_port)) as sending:
        yield sending


@dataclass
class Load:
    """Sends one span, one event and one count after the other, and notes what was accepted."""

    sender: Sender
    told: dict[str, object]
    ids: Ids = field(default_factory=lambda: Ids("load"))
    spans: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    count: int = 0
    refused: int = 0

    def send(self, until: Callable[[], bool]) -> None:
        while not until():
            one = span(self.ids, self.ids.trace(), self.told)
            if self.sender.spans(one):
                self.spans.add(one.span_id.hex())
            else:
                self.refused += 1
            if self.sender.events(event(semconv.E_END, one.span_id.hex(), self.told)):
                self.events.add(one.span_id.hex())
            if self.sender.count(semconv.M_CUT, self.count + 1, {semconv.A_LAYER: semconv.HTTP}):
                self.count += 1

    def lost(self, store: Collector) -> list[str]:
        """What was accepted and has not arrived."""
        spans = {each.data["spanId"] for each in store.spans()}
        events = {each.data["body"]["stringValue"] for each in store.logs()}
        counts = [
            int(point["asInt"])
            for each in store.metrics()
            if each.data["name"] == semconv.M_CUT
            for point in each.data["sum"]["dataPoints"]
        ]
        count = [] if self.count == max(counts, default=0) else [f"{self.count} counted, not {max(counts, default=0)}"]
        return sorted(self.spans - spans) + sorted(self.events - events) + count


@pytest.mark.parametrize(
    ("end", "told"),
    [
        pytest.param(Collector.kill, TIMED_OUT, id="killed"),
        pytest.param(Collector.stop, COMPLETED, id="stopped"),
    ],
)
def test_nothing_that_was_accepted_is_lost(
    collector: Collector, store: Collector, sender: Sender, end: Callable[[Collector], None], told: dict[str, object]
) -> None:
    """Under load, with every store away. What is no fault and waits for the sampler's decision survives a stop only."""
    load = Load(sender, told)
    sending = threading.Thread(target=load.send, args=(lambda: load.refused >= LOAD,), daemon=True)
    sending.start()
    eventually(lambda: len(load.spans) >= LOAD, what="the load")
    end(collector)
    sending.join()
    before = len(load.spans)
    collector.start()
    load.send(until=lambda: len(load.spans) >= before + LOAD)
    store.start()
    eventually(lambda: not load.lost(store), limit=60, what="all that was accepted")


def test_the_program_does_not_notice(collector: Collector, store: Collector) -> None:
    store.start()
    program = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "steady.py")],
        env={**os.environ, **collector.sdk(), "OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_BSP_SCHEDULE_DELAY": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(store.metrics, what="the first metrics")
    collector.kill()
    time.sleep(AWAY)
    collector.start()
    out, _ = program.communicate(timeout=40)
    told = json.loads(out)
    assert program.returncode == 0 and told["longest"] < HOLD_UP

    def ended() -> int:
        values = (
            int(point["asInt"])
            for each in store.metrics()
            if each.data["name"] == semconv.M_ENDED
            for point in each.data["sum"]["dataPoints"]
        )
        return max(values, default=0)

    eventually(lambda: ended() == told["streams"], limit=40, what=f"{told['streams']} streams to be counted")
