"""Every file that is made, by its path below ``dashboards/``."""

from typing import Any, Final

import yaml
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import alertmanager, ending_early, instrument, kubernetes, objectives, one_path, victorialogs
from .alerts import alerts
from .alerts.alert import Alert
from .recording import recordings

RUNBOOKS: Final = "docs/runbooks/{}.md"
"""The address of a runbook, with {} in place of its name."""

DASHBOARDS: Final = {
    "ending-early.json": ending_early.dashboard,
    "one-path.json": one_path.dashboard,
    "objectives.json": objectives.dashboard,
    "instrument.json": instrument.dashboard,
}

MADE: Final = "# Made by `nox -s dashboards`; what is changed here by hand is lost.\n"


def all_of_them(runbooks: str = RUNBOOKS) -> dict[str, str]:
    """The text of each file. ``runbooks``: where docs/runbooks is served."""
    promql = [alert for alert in alerts() if alert.language == "promql"]
    logql = [alert for alert in alerts() if alert.language == "logql"]
    boards = {name: as_json(make()) for name, make in DASHBOARDS.items()}
    return {
        **boards,
        "alerts/recording-rules.yaml": as_yaml({"groups": [recording_group()]}),
        "alerts/alert-rules.yaml": as_yaml({"groups": [alert_group(promql, runbooks)]}),
        "alerts/loki-alert-rules.yaml": as_yaml({"groups": [alert_group(logql, runbooks)]}),
        "alerts/grafana-alert-rules.yaml": as_yaml(grafana(runbooks)),
        "alerts/alertmanager.yaml": as_yaml(alertmanager.configuration()),
        "alerts/prometheus-rule.yaml": as_yaml(
            kubernetes.prometheus_rule([recording_group(), alert_group(promql, runbooks)])
        ),
        "victorialogs/log-events.json": victorialogs.dashboard(*boards.values()),
        "victorialogs/alert-rules.yaml": as_yaml({"groups": [victorialogs_group(logql, runbooks)]}),
        "kustomization.yaml": as_yaml(kubernetes.kustomization(list(DASHBOARDS))),
    }


def as_json(dashboard: Dashboard) -> str:
    """With a number for each panel, so that links to one stay what they are while no other is put before it."""
    built = dashboard.build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    for variable in built.templating.list_val or ():
        variable.auto = variable.auto_count = variable.auto_min = None  # an interval's, which none of them is
    return JSONEncoder(sort_keys=True, indent=2).encode(built) + "\n"


def as_yaml(document: dict[str, Any]) -> str:
    return MADE + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def recording_group() -> dict[str, Any]:
    rules = [{"record": rule.record, "expr": rule.expr} for rule in recordings()]
    return {"name": "autogen-streamtrace-recordings", "interval": "1m", "rules": rules}


def alert_group(chosen: list[Alert], runbooks: str) -> dict[str, Any]:
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.wait,
            "keep_firing_for": alert.keep,
            "labels": labels(alert),
            "annotations": annotations(alert, runbooks),
        }
        for alert in chosen
    ]
    return {"name": f"autogen-streamtrace-{chosen[0].language}", "interval": "1m", "rules": rules}


def victorialogs_group(chosen: list[Alert], runbooks: str) -> dict[str, Any]:
    """The same for vmalert (https://docs.victoriametrics.com/victorialogs/vmalert/)."""
    group = alert_group(chosen, runbooks)
    rules = [{**rule, "expr": victorialogs.ALERTS[rule["alert"]]} for rule in group["rules"]]
    return {"name": "autogen-streamtrace-logsql", "type": "vlogs", "interval": "1m", "rules": rules}


def labels(alert: Alert) -> dict[str, str]:
    return {"severity": alert.severity, **({"scope": alert.scope} if alert.scope else {})}


def annotations(alert: Alert, runbooks: str) -> dict[str, str]:
    return {
        "summary": alert.summary,
        "description": alert.does,
        "runbook_url": runbooks.replace("{}", alert.runbook),
    }


def grafana(runbooks: str) -> dict[str, Any]:
    """The same alerts for Grafana's own alerting (provisioning/alerting). The recording rules stay with Prometheus."""
    group = {
        "orgId": 1,
        "name": "autogen-streamtrace",
        "folder": "AutoGen streams",
        "interval": "1m",
        "rules": [grafana_rule(alert, runbooks) for alert in alerts()],
    }
    return {"apiVersion": 1, "groups": [group]}


def grafana_rule(alert: Alert, runbooks: str) -> dict[str, Any]:
    source = "prometheus" if alert.language == "promql" else "loki"
    return {
        "uid": f"streamtrace-{alert.name.lower()}",
        "title": alert.name,
        "condition": "FIRES",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": source,
                "queryType": "instant" if source == "loki" else "",
                "model": {"refId": "A", "expr": alert.expr, "instant": True, "range": False, "queryType": "instant"},
            },
            {
                "refId": "FIRES",
                "datasourceUid": "__expr__",
                "model": {"refId": "FIRES", "type": "math", "expression": "is_number($A)"},
            },
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.wait,
        "keepFiringFor": alert.keep,
        "labels": labels(alert),
        "annotations": {name: in_grafana(text) for name, text in annotations(alert, runbooks).items()},
    }


def in_grafana(text: str) -> str:
    """There ``$value`` is a sentence about all queries; the number is ``$values.A.Value``."""
    return text.replace("$value ", "$values.A.Value ").replace("$value}", "$values.A.Value}")
