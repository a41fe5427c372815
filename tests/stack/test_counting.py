"""Rare events in many processes are counted, each once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from .collector import CONFIG, FILES, Collector
from .prometheus import Prometheus
from .runs import PROGRAMS
from .server import eventually

pytestmark = pytest.mark.timeout(200)

WORKERS = 20
NEW = "sum(last_over_time({x}[1h]) - (last_over_time({x}[1h] offset 1h) or last_over_time({x}[1h]) * 0))"
"""What was added within the hour, without extrapolation, a series that is new counted from 0."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory, prometheus: Prometheus) -> Iterator[Collector]:
    with Collector(tmp_path_factory.mktemp("c"), CONFIG, FILES, PROMETHEUS_OTLP_ENDPOINT=prometheus.otlp) as running:
        yield running


def test_twenty_workers_with_one_cut_each_are_twenty_cuts(collector: Collector, prometheus: Prometheus) -> None:
    env = {**os.environ, **collector.sdk("http/protobuf"), "OTEL_SERVICE_NAME": "fleet"}
    subprocess.run([sys.executable, str(PROGRAMS / "fleet.py"), str(WORKERS)], env=env, check=True, timeout=100)
    cuts = 'streamtrace_cut_total{service_name="fleet"}'
    eventually(lambda: prometheus.total(f"count({cuts})") == WORKERS, what="a series of each worker")
    eventually(lambda: prometheus.total(NEW.format(x=cuts)) == WORKERS, what="the cut of each")
    later = time.time() + 600
    assert prometheus.total(NEW.format(x=cuts), at=later) == WORKERS  # the workers are long gone
