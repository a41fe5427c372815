"""The panels and alerts on log events for VictoriaLogs, where it takes Loki's place.

Attributes keep their names there. https://docs.victoriametrics.com/victorialogs/logsql/
"""

import json
from collections.abc import Iterable
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc

from .alerts.processes import LATE_SECONDS, LATE_TURNS

PLUGIN: Final = "victoriametrics-logs-datasource"
SOURCE: Final = {"type": PLUGIN, "uid": "${victorialogs_datasource}"}

SERVICE, ENVIRONMENT, INSTANCE = "service.name", "deployment.environment.name", "service.instance.id"


def is_(name: str, value: str) -> str:
    return f'"{name}":={value}'


def there(name: str) -> str:
    return f'"{name}":*'


def chosen(name: str, variable: str) -> str:
    """One of the values of a variable with several."""
    return f'"{name}":~"^(${{{variable}:regex}})$"'


def begins(name: str, variable: str) -> str:
    """What was typed into a variable."""
    return f'"{name}":~"^${variable}"'


def by(names: Iterable[str], function: str) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"| stats by ({quoted}) {function}"


_WHOSE: Final = " ".join((chosen(SERVICE, "service"), chosen(ENVIRONMENT, "environment"), chosen(INSTANCE, "instance")))
_ENDS: Final = f"{_WHOSE} {is_('event.name', sc.E_END)}"
_REFUSED: Final = f"{_ENDS} {is_(sc.A_LAYER, sc.HTTP)} {is_(sc.A_OUTCOME, sc.REJECTED)}"
_LOST: Final = f"{_ENDS} {is_(sc.A_LAYER, sc.HTTP)} {is_(sc.A_OUTCOME, sc.DISCONNECTED)}"
_STALLS: Final = f"{_WHOSE} {is_('event.name', sc.E_STALL)}"
_CUT_REPLIES: Final = f"{_ENDS} {is_(sc.A_LAYER, sc.MODEL)} {is_(sc.A_EARLY, 'true')}"
_EARLY: Final = (
    f"{_ENDS} {is_(sc.A_EARLY, 'true')} {chosen(sc.A_FRAMEWORK, 'framework')} {begins(sc.A_LAYER, 'layer')} "
    f"{begins(sc.A_OUTCOME, 'outcome')} {begins(sc.A_CAUSE_TYPE, 'cause')} "
    f"(!{is_(sc.A_LAYER, sc.AGENT)} or {chosen(sc.A_NAME, 'agent')}) "
    f"(!{is_(sc.A_LAYER, sc.MODEL)} or {chosen(sc.A_NAME, 'model')})"
)

PANELS: Final[dict[str, tuple[str, str]]] = {
    "Lost before any byte of an answer": (
        f"{_LOST} {is_(sc.HTTP_STATUS, chr(34) * 2)} {there(sc.A_CONNECTION_REUSED)} "
        + by([sc.A_CONNECTION_REUSED], "count() streams"),
        f"used before: {{{{{sc.A_CONNECTION_REUSED}}}}}",
    ),
    "Refusals, by whose page": (
        f"{_REFUSED} " + by([sc.A_REFUSAL_PAGE, sc.A_INTERMEDIARY, sc.HTTP_STATUS], "count() streams"),
        f"{{{{{sc.HTTP_STATUS}}}}}, page of {{{{{sc.A_REFUSAL_PAGE}}}}}, via {{{{{sc.A_INTERMEDIARY}}}}}",
    ),
    "How long a refusal takes": (
        f"{_REFUSED} {there(sc.A_TIME_TO_HEADERS)} " + by([sc.HTTP_STATUS], f'max("{sc.A_TIME_TO_HEADERS}") seconds'),
        f"{{{{{sc.HTTP_STATUS}}}}}",
    ),
    "How late the event loop was": (
        f"{_ENDS} {there(sc.A_LOOP_LATE)} " + by([SERVICE], f'max("{sc.A_LOOP_LATE}") seconds'),
        f"{{{{{SERVICE}}}}}",
    ),
    "Stall events": (
        f"{_STALLS} " + by([sc.A_WAITING_ON_TYPE, sc.A_LOOP_BLOCKED], "count() stalls"),
        f"{{{{{sc.A_WAITING_ON_TYPE}}}}}, blocked {{{{{sc.A_LOOP_BLOCKED}}}}}",
    ),
    "Tokens spent on cut replies": (
        f"{_CUT_REPLIES} {there(sc.GEN_AI_OUTPUT_TOKENS)} "
        + by([sc.A_OUTCOME], f'sum("{sc.GEN_AI_OUTPUT_TOKENS}") tokens'),
        f"{{{{{sc.A_OUTCOME}}}}}",
    ),
    "Log events of early endings": (_EARLY, ""),
}
"""For each panel that asks Loki its LogsQL, and the legend."""

_OF_THE_SERVICE: Final = (
    f'| copy "{SERVICE}" service_name, "{ENVIRONMENT}" deployment_environment_name '
    "| stats by (service_name, deployment_environment_name) count() events"
)
ALERTS: Final = {
    "EventLoopBlocked": f"_time:5m {is_('event.name', sc.E_STALL)} {is_(sc.A_LOOP_BLOCKED, 'true')} "
    f"{_OF_THE_SERVICE} | filter events:>0",
    "EventLoopLate": f"_time:5m {is_('event.name', sc.E_END)} {is_(sc.A_OUTERMOST, 'true')} "
    f'"{sc.A_LOOP_LATE}":>{LATE_SECONDS} {_OF_THE_SERVICE} | filter events:>={LATE_TURNS}',
}
"""For each alert that asks Loki its LogsQL; the labels are named as Loki names them, for Alertmanager's sake."""


def dashboard(*boards: str) -> str:
    """The panels of these dashboards that ask Loki, each asking VictoriaLogs."""
    read = [json.loads(board) for board in boards]
    panels = [panel for board in read for panel in board["panels"] if panel.get("datasource", {}).get("type") == "loki"]
    shown = {panel["title"]: panel for panel in panels}
    # The dashboard with the lines has all variables that the others have.
    made = next(board for board in read if "Log events of early endings" in json.dumps(board["panels"]))
    made |= {"uid": "streamtrace-victorialogs", "title": "Log events, in VictoriaLogs", "annotations": {"list": []}}
    made["description"] = "What the other dashboards ask Loki, of VictoriaLogs."
    made["panels"] = [_asking(shown[title], at) for at, title in enumerate(PANELS)]
    kept = [each for each in made["templating"]["list"] if each["name"] not in ("loki_datasource", "tempo_datasource")]
    source = {"name": "victorialogs_datasource", "label": "VictoriaLogs data source", "query": PLUGIN}
    made["templating"]["list"] = [{**kept[0], **source}, *kept]
    return json.dumps(made, sort_keys=True, indent=2) + "\n"


def _asking(panel: dict[str, Any], at: int) -> dict[str, Any]:
    expr, legend = PANELS[panel["title"]]
    lines = panel["type"] == "logs"
    kind = {"queryType": "instant" if lines else "statsRange", **({} if lines else {"legendFormat": legend})}
    target = {"datasource": SOURCE, "editorMode": "code", "expr": expr, "refId": "A", **kind}
    place = {"x": 12 * (at % 2) * (not lines), "y": 8 * (at // 2), "w": 24 if lines else 12, "h": 10 if lines else 8}
    return {**panel, "datasource": SOURCE, "gridPos": place, "id": at + 1, "targets": [target]}
