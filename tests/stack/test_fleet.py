"""Twenty workers with one cut each are twenty, for the recording rules and for a panel, in a running Prometheus."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from dashboards.board import filled, targets

from .collector import CONFIG, FILES, Collector
from .prometheus import Prometheus
from .rules_now import sped_up
from .runs import PROGRAMS
from .server import eventually

pytestmark = pytest.mark.timeout(200)

WORKERS = 20


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("fleet")
    with (
        Prometheus(folder / "prometheus", *sped_up(folder)) as running,
        Collector(folder / "collector", CONFIG, FILES, PROMETHEUS_OTLP_ENDPOINT=running.otlp) as collector,
    ):
        env = {**os.environ, **collector.sdk("http/protobuf"), "OTEL_SERVICE_NAME": "fleet"}
        subprocess.run([sys.executable, str(PROGRAMS / "fleet.py"), str(WORKERS)], env=env, check=True, timeout=100)
        yield running


@pytest.mark.parametrize("window", ["5m", "30m", "1h"])
def test_the_recording_rules_count_each_workers_cut(prometheus: Prometheus, window: str) -> None:
    counted = f"sum(streamtrace:stream_cuts:increase{window})"
    eventually(lambda: prometheus.total(counted) == WORKERS, what=counted)


def test_a_panel_counts_them_the_same(prometheus: Prometheus) -> None:
    (asked,) = [filled(each.query) for each in targets("prometheus") if each.panel == "What they waited for"]
    eventually(lambda: prometheus.total(asked) == WORKERS, what=asked)


def test_extrapolation_would_not(prometheus: Prometheus) -> None:
    """What `increase()` makes of them, so that the rules are known to be needed."""
    eventually(lambda: prometheus.total("sum(streamtrace:stream_cuts:increase5m)") == WORKERS, what="the cuts")
    assert prometheus.total("sum(increase(streamtrace_cut_total[5m]))") != WORKERS
