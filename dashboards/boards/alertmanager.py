"""Alertmanager's configuration: who is told, what they read, and what is kept back.

The texts are in ``alerts/message.tmpl``. https://prometheus.io/docs/alerting/latest/configuration/
"""

from typing import Any, Final

from .alerts.alert import PAGE, TICKET

_TITLE: Final = '{{ template "streamtrace.title" . }}'
_FIRST: Final = '{{ template "streamtrace.first" . }}'
_TEXT: Final = '{{ template "streamtrace.text" . }}'
_SLACK: Final = '{{ template "streamtrace.slack" . }}'
_HTML: Final = '{{ template "streamtrace.html" . }}'
_RUNBOOK: Final = "{{ (index .Alerts 0).Annotations.runbook_url }}"
_QUERY: Final = "{{ (index .Alerts 0).GeneratorURL }}"
_FACTS: Final = {
    "layer": "streamtrace_layer",
    "outcome": "streamtrace_outcome",
    "ended by": "streamtrace_ended_by",
    "cause": "streamtrace_cause_type",
    "limit": "streamtrace_limit_id",
}
"""What PagerDuty lists beside the title, and the label that says it."""


def configuration() -> dict[str, Any]:
    """A page goes to PagerDuty and Slack, a ticket to Slack and by mail."""
    return {
        "global": {"smtp_smarthost": "smtp.example:587", "smtp_from": "alerts@example.com"},
        "templates": ["message.tmpl"],
        "route": {
            "receiver": "streamtrace-ticket",
            # Prometheus' alerts name a job, Loki's a service.
            "group_by": ["alertname", "job", "service_name", "deployment_environment_name"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [{"matchers": [f'severity="{PAGE}"'], "receiver": "streamtrace-page"}],
        },
        "receivers": [
            {"name": "streamtrace-page", "pagerduty_configs": [_pagerduty()], "slack_configs": [_slack()]},
            {"name": "streamtrace-ticket", "slack_configs": [_slack()], "email_configs": [_mail()]},
        ],
        "inhibit_rules": [_inhibition([PAGE], [PAGE, TICKET]), _inhibition([TICKET], [TICKET])],
    }


def _pagerduty() -> dict[str, Any]:
    label = '{{{{ or .CommonLabels.{} "see the text" }}}}'
    return {
        "routing_key_file": "/etc/alertmanager/pagerduty-routing-key",
        "description": _FIRST,
        "severity": '{{ if eq .CommonLabels.severity "page" }}critical{{ else }}warning{{ end }}',
        "details": {**{fact: label.format(name) for fact, name in _FACTS.items()}, "text": _TEXT},
        "links": [{"href": _RUNBOOK, "text": "Runbook"}, {"href": _QUERY, "text": "Query"}],
    }


def _slack() -> dict[str, Any]:
    return {
        "api_url_file": "/etc/alertmanager/slack-webhook",
        "channel": "#alerts",
        "title": _TITLE,
        "title_link": _RUNBOOK,
        "fallback": _FIRST,
        "text": _SLACK,
        "send_resolved": True,
    }


def _mail() -> dict[str, Any]:
    return {"to": "on-call@example.com", "headers": {"Subject": _TITLE}, "html": _HTML, "text": _TEXT}


def _inhibition(origin: list[str], turns: list[str]) -> dict[str, Any]:
    """What fires at an origin keeps back the turns' alert of the same job, if it wakes as many."""
    return {
        "source_matchers": ['scope="origin"', f'severity=~"{"|".join(origin)}"'],
        "target_matchers": ['scope="turns"', f'severity=~"{"|".join(turns)}"'],
        "equal": ["job", "deployment_environment_name"],
    }
