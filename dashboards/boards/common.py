"""What all dashboards have in common."""

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType

from autogen_streamtrace.core import semconv as sc

from .panels import Panel
from .promql import select
from .variables import PROMETHEUS, datasource
from .vocabulary import ENVIRONMENT, EVENT, QUEUE, SERVICE, VERSION

TAG: Final = "autogen-streamtrace"

PATH_UID: Final = "streamtrace-path"
CHOICES: Final = {"layer": "Layer of origin", "outcome": "Outcome", "cause": "Root cause"}
"""Text variables of the dashboard *One stream's path*, and the headings of the table that leads there."""

Panels = Sequence[Panel]

LOGS: Final = (
    f'{{{SERVICE}=~".+",{SERVICE}=~"$service"}} | {ENVIRONMENT}=~"$environment" | service_instance_id=~"$instance"'
)
"""Loki's lines of what the variables choose. A selector needs one matcher that nothing empty fits."""


def board(
    title: str,
    uid: str,
    says: str,
    rows: Mapping[str, Panels],
    *,
    variables: Sequence[QueryVariable | TextBoxVariable],
    datasources: Sequence[str],
) -> Dashboard:
    """A dashboard with its variables, deploys as annotations, links to the others, and its rows."""
    made = Dashboard(title).uid(uid).description(says).tags([TAG]).readonly().timezone("browser")
    made.tooltip(DashboardCursorSync.CROSSHAIR).time("now-3h", "now").refresh("1m")
    chosen: list[DatasourceVariable | QueryVariable | TextBoxVariable] = [*map(datasource, datasources), *variables]
    for variable in chosen:
        made.with_variable(variable)
    made.annotation(deploys()).link(others())
    for name, panels in rows.items():
        made.with_row(Row(name))
        for panel in panels:
            made.with_panel(panel)
    return made


def deploys() -> AnnotationQuery:
    """A mark where a service's version is first seen: nobody had reported it in the ten minutes before."""
    seen = f"group by ({SERVICE}, {VERSION}) ({select(QUEUE)})"
    expr = f"{seen} unless group by ({SERVICE}, {VERSION}) (last_over_time({select(QUEUE)}[10m] offset 5m))"
    return AnnotationQuery().name("Deploys").datasource(PROMETHEUS).enable(True).icon_color("blue").expr(expr)


def others() -> DashboardLink:
    """The other dashboards of this set, with the same choice and the same time."""
    link = DashboardLink("AutoGen streams").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
    return link.include_vars(True).keep_time(True)


def logs_of_cause() -> DashboardLink:
    """From a row of the table of causes to the streams behind it."""
    choice = "&".join(f'var-{name}=${{__data.fields["{heading}"]}}' for name, heading in CHOICES.items())
    variables = ("environment", "service", "version", "job", "instance", "framework")
    kept = "&".join(f"${{{name}:queryparam}}" for name in variables)
    return DashboardLink("Its latest streams").url(f"/d/{PATH_UID}?${{__url_time_range}}&{kept}&{choice}")


def of_events(*filters: str) -> str:
    """LogQL for the end of streams."""
    return " | ".join((LOGS, f'{EVENT}="{sc.E_END}"', *filters))
