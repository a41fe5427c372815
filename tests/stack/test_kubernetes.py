"""`kubectl apply -k .` brings what Kubernetes and the Prometheus Operator take, and what it names is there."""

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
import pytest
import yaml
from binaries import binary
from dashboards.board import ALERTS, BOARDS, ROOT

OPERATOR: Final = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
CRD: Final = "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"
OVERLAY: Final = """
resources: [deployment.yaml]
components: [{component}]
images: [{{name: streamtrace-recorder, newName: registry.example/agents, newTag: "1.0"}}]
"""
DEPLOYMENT: Final = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: agents, labels: {streamtrace-recorder: sidecar}}
spec:
  selector: {matchLabels: {app: agents}}
  template:
    metadata: {labels: {app: agents}}
    spec:
      securityContext: {runAsUser: 4321, runAsNonRoot: true}
      containers:
        - name: application
          image: registry.example/agents:1.0
          env: [{name: MODEL, value: gpt-4o}]
"""


def built(folder: Path) -> list[dict[str, Any]]:
    """What kustomize makes of a folder."""
    done = subprocess.run([binary("kustomize"), "build", str(folder)], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def whole() -> dict[tuple[str, str], dict[str, Any]]:
    """The repository's resources by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in built(ROOT)}


def collector() -> dict[str, Any]:
    found: dict[str, Any] = whole()["StatefulSet", "streamtrace-collector"]["spec"]["template"]["spec"]["containers"][0]
    return found


def test_kubernetes_takes_every_resource() -> None:
    for (kind, _), resource in whole().items():
        if kind != "PrometheusRule":
            kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(shutil.which("go") is None, reason="not installed: Go, which brings the operator's schema")
def test_the_prometheus_operator_takes_the_rules() -> None:
    done = subprocess.run(["go", "mod", "download", "-json", OPERATOR], capture_output=True, text=True, timeout=50)
    crd = yaml.safe_load((Path(json.loads(done.stdout)["Dir"]) / CRD).read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    group = schema["properties"]["spec"]["properties"]["groups"]["items"]
    del group["properties"]["partial_response_strategy"]["pattern"]  # is Go's own, which Python does not read
    group["additionalProperties"] = group["properties"]["rules"]["items"]["additionalProperties"] = False
    jsonschema.validate(whole()["PrometheusRule", "streamtrace"], schema)


def test_the_operators_rules_are_those_of_prometheus() -> None:
    groups = [
        group
        for name in ("recording-rules", "alert-rules")
        for group in yaml.safe_load((ALERTS / f"{name}.yaml").read_text())["groups"]
    ]
    assert whole()["PrometheusRule", "streamtrace"]["spec"]["groups"] == groups


def test_grafana_finds_every_dashboard_by_its_label() -> None:
    maps = [each for (kind, _), each in whole().items() if kind == "ConfigMap"]
    labelled = [each for each in maps if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]
    assert sorted(name for each in labelled for name in each["data"]) == sorted(BOARDS)


def test_no_config_map_is_larger_than_kubernetes_allows() -> None:
    sizes = [len(json.dumps(each)) for (kind, _), each in whole().items() if kind == "ConfigMap"]
    assert max(sizes) < 1_000_000


def test_the_collector_is_told_only_what_its_configuration_reads() -> None:
    read = set(re.findall(r"\$\{env:(\w+)", (ROOT / "collector-config.yaml").read_text()))
    settings = next(each for (kind, name), each in whole().items() if name.startswith("streamtrace-collector-settings"))
    assert set(settings["data"]) <= read


def test_the_collector_is_of_the_version_that_the_tests_run() -> None:
    assert collector()["image"] == yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["collector"]["image"]


def test_the_collector_mounts_the_configuration_of_the_repository() -> None:
    volumes = whole()["StatefulSet", "streamtrace-collector"]["spec"]["template"]["spec"]["volumes"]
    name = next(volume["configMap"]["name"] for volume in volumes if volume["name"] == "config")
    assert whole()["ConfigMap", name]["data"]["collector-config.yaml"] == (ROOT / "collector-config.yaml").read_text()


def pod() -> dict[str, Any]:
    found: dict[str, Any] = whole()["StatefulSet", "streamtrace-collector"]["spec"]["template"]["spec"]
    return found


def test_the_collectors_pod_fits_the_restricted_pod_security_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    assert pod()["securityContext"]["runAsNonRoot"] and pod()["securityContext"]["runAsUser"]
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert hardened(collector())
    assert {kind for volume in pod()["volumes"] for kind in volume if kind != "name"} == {"configMap"}


def hardened(container: dict[str, Any]) -> bool:
    context = container["securityContext"]
    closed = not context["allowPrivilegeEscalation"] and context["capabilities"] == {"drop": ["ALL"]}
    return closed and bool(context["readOnlyRootFilesystem"])


def test_nothing_asks_for_rights_in_the_cluster() -> None:
    kinds = {kind for kind, _ in whole()}
    assert not {kind for kind in kinds if "Role" in kind}
    account = whole()["ServiceAccount", pod()["serviceAccountName"]]
    assert not account["automountServiceAccountToken"] and not pod()["automountServiceAccountToken"]


def test_what_the_service_offers_is_what_the_network_policy_lets_in() -> None:
    policy = whole()["NetworkPolicy", "streamtrace-collector"]["spec"]
    service = whole()["Service", "streamtrace-collector"]["spec"]
    (rule,) = policy["ingress"]
    assert policy["podSelector"]["matchLabels"] == service["selector"]
    assert {port["port"] for port in rule["ports"]} == {port["targetPort"] for port in service["ports"]}
    assert {port["port"] for port in rule["ports"]} <= {port["name"] for port in collector()["ports"]}


def test_the_collector_is_started_watched_and_bounded() -> None:
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= collector().keys()
    resources = collector()["resources"]
    assert resources["limits"] == {"memory": "1Gi"} and resources["requests"].keys() == {"cpu", "memory"}
    (go,) = (int(each["value"].removesuffix("MiB")) for each in collector()["env"] if each["name"] == "GOMEMLIMIT")
    assert go == pytest.approx(0.8 * 1024, abs=5)  # where its memory limiter refuses


def test_a_deployment_with_the_label_gets_the_sidecar_beside_what_it_has(tmp_path: Path) -> None:
    component = shutil.copytree(ROOT / "kubernetes" / "recorder", tmp_path / "recorder")
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
    (tmp_path / "kustomization.yaml").write_text(OVERLAY.format(component=component.name))
    (deployment,) = built(tmp_path)
    kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)
    made = deployment["spec"]["template"]["spec"]
    (sidecar,), (application,) = made["initContainers"], made["containers"]
    assert {each["name"]: each["image"] for each in (sidecar, application)} == {
        "streamtrace-recover": "registry.example/agents:1.0",
        "application": "registry.example/agents:1.0",
    }
    assert {each["name"] for each in application["env"]} == {
        "MODEL",
        "AUTOGEN_STREAMTRACE_RECORDER_DIR",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    }
    assert made["securityContext"] == {"runAsUser": 4321, "runAsNonRoot": True}, "whose user it is, is the pod's"
    assert hardened(sidecar) and sidecar["resources"]["limits"].keys() == {"memory"}
    addresses = {each["value"] for it in (sidecar, application) for each in it["env"] if "ENDPOINT" in each["name"]}
    assert addresses == {"http://streamtrace-collector.observability:4317"}
    assert "kubectl apply --server-side -n observability -k ." in (ROOT / "docs" / "kubernetes.md").read_text()
    assert ("Service", "streamtrace-collector") in whole()
