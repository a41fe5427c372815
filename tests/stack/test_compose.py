"""`compose.yaml` is one that Docker Compose takes, what it mounts is there, and what is provisioned fits together."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dashboards.board import ALERTS, BOARDS, ROOT

COMPOSE: Final = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKER_COMPOSE: Final = shutil.which("docker-compose", path=str(Path(sys.executable).parent))
MOUNTS: Final = {
    target: ROOT / source
    for service in COMPOSE["services"].values()
    for source, target, _ in (volume.split(":") for volume in service.get("volumes", ()))
}


def provisioned(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose" / name).read_text())
    return found


@pytest.mark.skipif(DOCKER_COMPOSE is None, reason="not installed: Docker Compose; install the group `stack`")
def test_docker_compose_takes_the_file() -> None:
    done = subprocess.run(
        [str(DOCKER_COMPOSE), "config"], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert not done.stderr and set(yaml.safe_load(done.stdout)["services"]) == set(COMPOSE["services"])


def test_everything_that_is_mounted_is_there() -> None:
    assert MOUNTS and all(source.exists() for source in MOUNTS.values())


def test_every_image_has_a_version() -> None:
    assert all(re.search(r":\d", service["image"]) for service in COMPOSE["services"].values())


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_is_set_up_as_the_shipped_one_with_the_recording_rules() -> None:
    shipped = yaml.safe_load((ROOT / "stores" / "prometheus.yaml").read_text())
    here = provisioned("prometheus.yaml")
    (rules,) = here.pop("rule_files")
    assert here == shipped and MOUNTS[rules] == ALERTS / "recording-rules.yaml"


def test_the_collector_is_told_every_address_that_it_sends_to() -> None:
    variables = set(re.findall(r"\$\{env:(\w+_OTLP_ENDPOINT)", (ROOT / "collector-config.yaml").read_text()))
    assert variables <= set(COMPOSE["services"]["collector"]["environment"])


def test_the_demo_sends_to_the_collector() -> None:
    assert COMPOSE["services"]["demo"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4317"


def test_dashboards_are_looked_for_where_they_are_mounted() -> None:
    (provider,) = provisioned("grafana-dashboards.yaml")["providers"]
    folder = MOUNTS[provider["options"]["path"]]
    assert {file.name for file in folder.glob("*.json")} == set(BOARDS)


def test_the_data_sources_lead_to_each_other() -> None:
    stores = {store["uid"]: store["jsonData"] for store in provisioned("grafana-datasources.yaml")["datasources"]}
    assert stores["tempo"]["tracesToLogsV2"]["datasourceUid"] == "loki"
    (field,) = stores["loki"]["derivedFields"]
    assert field["datasourceUid"] == "tempo" and field["matcherRegex"] == "trace_id"
    (exemplar,) = stores["prometheus"]["exemplarTraceIdDestinations"]
    assert exemplar["datasourceUid"] == "tempo" and exemplar["name"] == "trace_id"


def test_grafanas_alerts_ask_data_sources_that_are_provisioned() -> None:
    stores = {store["uid"] for store in provisioned("grafana-datasources.yaml")["datasources"]}
    (group,) = yaml.safe_load((ALERTS / "grafana-alert-rules.yaml").read_text())["groups"]
    assert {query["datasourceUid"] for rule in group["rules"] for query in rule["data"]} <= {*stores, "__expr__"}


def test_no_variable_of_grafanas_provisioning_is_left_open() -> None:
    """There a single dollar sign begins a variable of the environment."""
    for file in (ROOT / "compose").glob("grafana-*.yaml"):
        lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        assert not re.search(r"(?<!\$)\$(?!\$)", "\n".join(lines).replace("$$", "")), file.name
