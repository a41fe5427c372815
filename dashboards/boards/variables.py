"""The variables on top of each dashboard."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableOption, VariableRefresh, VariableSort

from .vocabulary import ENVIRONMENT, L_FRAMEWORK, L_LAYER, L_NAME, L_STREAMED, QUEUE, SERVICE, STARTED, VERSION

PROMETHEUS: Final = DataSourceRef("prometheus", "${prometheus_datasource}")
LOKI: Final = DataSourceRef("loki", "${loki_datasource}")
TEMPO: Final = DataSourceRef("tempo", "${tempo_datasource}")

ANY: Final = ".*"
"""Also what lacks the label."""
SOME: Final = ".+"


def datasource(kind: str) -> DatasourceVariable:
    """Which data source of this kind is asked."""
    return DatasourceVariable(f"{kind}_datasource").label(f"{kind.title()} data source").type(kind)


def chosen(name: str, title: str, query: str, everything: str = ANY) -> QueryVariable:
    """One or several values of a label; all of them at first."""
    return (
        QueryVariable(name)
        .label(title)
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def whose() -> list[QueryVariable]:
    """Environment, service, version, job and instance, each narrowed by those before it."""
    alive = QUEUE  # every process has it
    return [
        chosen("environment", "Environment", f"label_values({alive}, {ENVIRONMENT})"),
        chosen("service", "Service", f'label_values({alive}{{{ENVIRONMENT}=~"$environment"}}, {SERVICE})'),
        chosen("version", "Version", f'label_values({alive}{{{SERVICE}=~"$service"}}, {VERSION})'),
        chosen("job", "Job", f'label_values({alive}{{{SERVICE}=~"$service"}}, job)', SOME),
        chosen("instance", "Instance", f'label_values({alive}{{job=~"$job"}}, instance)', SOME),
    ]


def named(layer: str) -> QueryVariable:
    """The names of one layer's streams."""
    query = f'label_values({STARTED}{{{L_LAYER}="{layer}",job=~"$job"}}, {L_NAME})'
    return chosen(layer, layer.title(), query)


def framework() -> QueryVariable:
    """The framework in whose turns streams end."""
    return chosen("framework", "Framework", f'label_values({STARTED}{{job=~"$job"}}, {L_FRAMEWORK})')


def streamed() -> QueryVariable:
    """Streamed and unstreamed calls of a model."""
    return chosen("streamed", "Streamed", f'label_values({STARTED}{{job=~"$job"}}, {L_STREAMED})')


def typed(name: str, title: str) -> TextBoxVariable:
    """How a value begins; empty for any."""
    return TextBoxVariable(name).label(title).default_value("")


def collectors() -> list[QueryVariable]:
    """The Collectors that report on themselves."""
    uptime = "otelcol_process_uptime_seconds_total"
    return [
        chosen("collector", "Collector", f"label_values({uptime}, job)", SOME),
        chosen(
            "collector_instance", "Collector instance", f'label_values({uptime}{{job=~"$collector"}}, instance)', SOME
        ),
    ]
