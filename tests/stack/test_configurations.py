"""The shipped configurations: valid, started without a warning, and every variable of theirs explained."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from binaries import binary
from otlp_receiver import OtlpReceiver
from ports import free_port

from autogen_streamtrace.core import semconv

from . import prometheus
from .collector import CONFIG, GATEWAY, SECURE, Collector
from .sending import Sender
from .server import HOST, eventually, get

ALONE = [CONFIG, GATEWAY]
VARIABLE = re.compile(r"\$\{env:(\w+)")
SCRAPE = re.compile(r"^  # (  .*|prometheus:)$", re.M)
"""The commented lines of the exporter to be scraped."""


@pytest.fixture
def store() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.mark.parametrize("config", ALONE, ids=lambda path: path.name)
def test_it_is_valid(config: Path, tmp_path: Path) -> None:
    check([binary("otelcol"), "validate", f"--config={config}"], tmp_path)


@pytest.mark.parametrize("config", ALONE, ids=lambda path: path.name)
def test_it_starts_without_a_warning(config: Path, tmp_path: Path, store: OtlpReceiver) -> None:
    """A deprecated name, a missing extension or a broken condition shows only here."""
    stores = {
        "PROMETHEUS_OTLP_ENDPOINT": store.endpoint("http/protobuf"),
        "TEMPO_OTLP_ENDPOINT": f"{HOST}:{store.grpc_port}",
    }
    with Collector(tmp_path, config, **stores) as running:
        store.wait_for(lambda arrived: arrived.metrics())
        said = [line for line in running.log.read_text().splitlines() if "\tinfo\t" not in line]
    assert said == []


@pytest.mark.parametrize("config", ALONE, ids=lambda path: path.name)
def test_its_own_telemetry_is_exported(config: Path, tmp_path: Path, store: OtlpReceiver) -> None:
    with Collector(tmp_path, config, PROMETHEUS_OTLP_ENDPOINT=store.endpoint("http/protobuf")):
        store.wait_for(lambda arrived: "otelcol_exporter_queue_size" in {each.data.name for each in arrived.metrics()})
    assert {each.resource["service.name"] for each in store.metrics()} <= {"otelcol", "otelcol-agent"}


@pytest.mark.parametrize("config", [*ALONE, SECURE], ids=lambda path: path.name)
def test_every_variable_is_explained_at_the_top(config: Path) -> None:
    explained, _, settings = config.read_text().partition("\nextensions:")
    used = set(VARIABLE.findall(re.sub(r"^ *#.*", "", settings, flags=re.M)))
    assert used and used <= set(re.findall(r"\b[A-Z_]+\b", explained))


def test_the_exporter_in_the_comment_can_be_scraped(tmp_path: Path) -> None:
    port = free_port()
    uncommented, lines = SCRAPE.subn(r"  \1", CONFIG.read_text())
    assert lines == 6
    config = tmp_path / "scraped.yaml"
    config.write_text(uncommented.replace("exporters: [otlp_http/prometheus]", "exporters: [prometheus]"))
    with Collector(tmp_path, config, PROMETHEUS_SCRAPE_ENDPOINT=f"{HOST}:{port}") as running:
        sender = Sender(running.http_port, service_version="4.7.11", service_instance_id="worker-1")
        assert sender.count(semconv.M_CUT, 3, {semconv.A_LAYER: semconv.HTTP})
        sender.close()
        scraped = eventually(
            lambda: [
                line for line in get(f"http://{HOST}:{port}/metrics").decode().splitlines() if "cut_total{" in line
            ]
        )
    assert 'service_version="4.7.11"' in scraped[0] and 'service_instance_id="worker-1"' in scraped[0]
    assert scraped[0].split(" ")[1] == "3"


def test_prometheus_settings_are_valid(tmp_path: Path) -> None:
    check([binary("promtool"), "check", "config", str(prometheus.SETTINGS)], tmp_path)


def check(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
