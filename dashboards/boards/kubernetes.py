"""The rules and dashboards as a Kubernetes cluster takes them."""

from pathlib import Path
from typing import Any


def prometheus_rule(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The rules as the Prometheus Operator takes them, and the VictoriaMetrics Operator after it."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "streamtrace", "labels": {"app.kubernetes.io/name": "streamtrace"}},
        "spec": {"groups": groups},
    }


def kustomization(dashboards: list[str]) -> dict[str, Any]:
    """What kustomize makes of these files: by their labels, Grafana's and Loki's sidecars find the ConfigMaps."""
    made = [_config_map(name, {"grafana_dashboard": "1"}, grafana_folder="AutoGen streams") for name in dashboards]
    made.append(_config_map("alerts/loki-alert-rules.yaml", {"loki_rule": "1"}))
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["alerts/prometheus-rule.yaml"],
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": made,
    }


def _config_map(file: str, labels: dict[str, str], **annotations: str) -> dict[str, Any]:
    options = {"labels": labels, **({"annotations": annotations} if annotations else {})}
    return {"name": f"streamtrace-{Path(file).stem}", "files": [file], "options": options}
