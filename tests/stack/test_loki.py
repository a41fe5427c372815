"""What only a real Loki can say, where there is one on the PATH: is LogQL LogQL, are the shipped settings right."""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboards.board import Target, filled, rules, targets

from autogen_streamtrace.core import semconv

from .collector import CONFIG, FILES, Collector
from .loki import COMMAND, INSTALLED, Loki
from .runs import demo
from .sending import ALERTED, COMPLETED, KILLED, Sender, beyond_the_demo, event
from .server import eventually

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(INSTALLED is None, reason="there is no `loki` on the PATH"),
]

HOURS = 3 * 3600.0
STREAMS = '{service_name="died"}'


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    with Loki(tmp_path_factory.mktemp("loki")) as running:
        yield running


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory, loki: Loki) -> Iterator[Collector]:
    with Collector(tmp_path_factory.mktemp("collector"), CONFIG, FILES, LOKI_OTLP_ENDPOINT=loki.otlp) as running:
        yield running


@pytest.fixture(scope="module")
def played(collector: Collector, loki: Loki) -> Loki:
    """With the events of the demo and those that it does not bring, or still receiving them."""
    demo({**collector.sdk(), "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=production"})
    beyond_the_demo(collector.http_port)
    return loki


def test_the_settings_are_valid(tmp_path: Path) -> None:
    command = [*COMMAND, "-verify-config"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("target", list(targets("loki")), ids=lambda target: f"{target.board} {target.panel}")
def test_a_panels_query_returns_data(target: Target, played: Loki) -> None:
    query = filled(target.query)
    if re.search(r"\[\w+\]", query):
        assert eventually(lambda: played.query(query), limit=30, what=query)
    else:
        assert eventually(lambda: played.lines(query), limit=30, what=query)


@pytest.mark.parametrize("rule", rules("loki-alert-rules.yaml"), ids=lambda rule: str(rule["alert"]))
def test_an_alerts_query_returns_the_event_that_it_is_for(rule: dict[str, str], played: Loki) -> None:
    ((labels, value),) = eventually(lambda: played.query(rule["expr"]), limit=30, what=rule["alert"])
    assert (labels["service_name"], value) == ALERTED[rule["alert"]]


def test_the_instance_is_no_label_of_a_stream(played: Loki) -> None:
    line = eventually(lambda: played.lines('{service_name="blocked"}'), what="a line")[0]
    assert line.labels["service_instance_id"]
    assert not any("service_instance_id" in stream for stream in played.streams('{service_name=~".+"}'))


def test_an_event_of_three_hours_ago_is_taken_behind_a_newer_one(collector: Collector, loki: Loki) -> None:
    with contextlib.closing(Sender(collector.http_port, service_name="died", service_instance_id="worker-7")) as dead:
        assert dead.events(event(semconv.E_END, "fresh", COMPLETED))
        eventually(lambda: loki.lines(STREAMS), what="the fresh event")
        late = event(semconv.E_END, "late", KILLED, ago=HOURS)
        assert dead.events(late)
    (line,) = eventually(lambda: loki.lines(f'{STREAMS} |= "late"'), what="the late event")
    assert line.time_ns == late.time_unix_nano
