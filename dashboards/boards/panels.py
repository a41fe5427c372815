"""What all panels have in common. A panel is made by its kind, its title, one sentence, its unit and its queries."""

from collections.abc import Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    logs,
    loki,
    prometheus,
    stat,
    table,
    tempo,
    timeseries,
)
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as d
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import SearchTableType

from autogen_streamtrace.commands.ui.words.colours import COLOURS

from .variables import LOKI, PROMETHEUS, TEMPO
from .vocabulary import L_CAUSE

WIDE: Final = 24
HALF: Final = 12
THIRD: Final = 8
SMALL: Final = 4
PERCENT: Final = "percentunit"
COUNT: Final = "short"
SECONDS: Final = "s"

Query = prometheus.Dataquery
Panel = timeseries.Panel | stat.Panel | table.Panel | heatmap.Panel | logs.Panel | bargauge.Panel


def ask(expr: str, legend: str = "", *, exemplars: bool = False) -> Query:
    """A PromQL query over the time range; ``exemplars`` shows the traces behind it."""
    query = Query().datasource(PROMETHEUS).expr(expr).range()
    if legend:
        query.legend_format(legend)
    return query.exemplar(True) if exemplars else query


def ask_now(expr: str, legend: str = "") -> Query:
    """A PromQL query for the end of the time range, whose windows reach back as far as ``$__range``."""
    query = Query().datasource(PROMETHEUS).expr(expr).instant().format(PromQueryFormat.TABLE)
    return query.legend_format(legend) if legend else query


def lines(
    title: str, says: str, unit: str, *queries: Query, width: int = HALF, from_zero: bool = True, listed: bool = False
) -> timeseries.Panel:
    """A line for each series; not ``from_zero`` where some go below it; ``listed`` beside it where names are long."""
    panel = timeseries.Panel().title(title).description(says).unit(unit).span(width).height(8)
    if from_zero:
        panel.min(0)
    panel.datasource(PROMETHEUS).line_width(1).fill_opacity(10).show_points(c.VisibilityMode.NEVER)
    panel.legend(_beside() if listed else _below())
    panel.tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.DESCENDING))
    return panel.targets(lettered(queries))


def _below() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True)
    return legend.display_mode(c.LegendDisplayMode.LIST).placement(c.LegendPlacement.BOTTOM)


def _beside() -> common.VizLegendOptions:
    """A table with the most that each series has had: below the plot long names would have no room."""
    legend = common.VizLegendOptions().show_legend(True).calcs(["max"]).sort_by("Max").sort_desc(True)
    return legend.display_mode(c.LegendDisplayMode.TABLE).placement(c.LegendPlacement.RIGHT)


def bars(
    title: str, says: str, unit: str, *queries: Query, width: int = HALF, from_zero: bool = True
) -> timeseries.Panel:
    """Stacked bars, each of which counts what happened within its own width; a minute at least."""
    panel = lines(title, says, unit, *queries, width=width, from_zero=from_zero).interval("1m")
    panel.draw_style(c.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    return panel.stacking(common.StackingConfig().mode(c.StackingMode.NORMAL).group("A"))


def by_outcome(panel: timeseries.Panel) -> timeseries.Panel:
    """Each outcome in the colour that it has on the page of `ui`, where the legend is the outcome."""
    for outcome, colour in COLOURS.items():
        panel.override_by_name(outcome, [d.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return panel


def number(
    title: str, says: str, unit: str, query: Query, *, bad_from: float | None = None, good_from: float | None = None
) -> stat.Panel:
    """One figure; red from ``bad_from`` on, or below ``good_from``."""
    steps = [d.Threshold(color="green" if good_from is None else "red", value=None)]
    if bad_from is not None:
        steps.append(d.Threshold(color="red", value=bad_from))
    if good_from is not None:
        steps.append(d.Threshold(color="green", value=good_from))
    panel = stat.Panel().title(title).description(says).unit(unit).span(SMALL).height(4).datasource(PROMETHEUS)
    panel.thresholds(dashboard.ThresholdsConfig().mode(d.ThresholdsMode.ABSOLUTE).steps(steps))
    panel.graph_mode(c.BigValueGraphMode.NONE).no_value("none")
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.targets(lettered([query]))


def ranking(
    title: str,
    says: str,
    unit: str,
    query: Query,
    columns: dict[str, str],
    *,
    width: int = HALF,
    links: Sequence[Any] = (),
) -> table.Panel:
    """A table, largest value first. ``columns``: labels to show, in their order, with their headings."""
    panel = table.Panel().title(title).description(says).unit(unit).span(width).height(8).datasource(PROMETHEUS)
    order = {name: place for place, name in enumerate((*columns, "Value"))}
    renamed = {**columns, "Value": "Streams" if unit == COUNT else "Value"}
    options: dict[str, Any] = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed}
    panel.with_transformation(d.DataTransformerConfig(id_val="organize", options=options))
    panel.sort_by([common.TableSortByFieldState().display_name(renamed["Value"]).desc(True)]).filterable(True)
    for label, heading in columns.items():  # a version such as 1.2 is no number
        wide = [d.DynamicConfigValue("custom.width", 280)] if label == L_CAUSE else []
        panel.override_by_name(heading, [d.DynamicConfigValue("unit", "string"), *wide])
    if links:
        panel.data_links(list(links))
    return panel.targets(lettered([query]))


def rows_of_heat(title: str, says: str, unit: str, queries: Sequence[Query], *, width: int = WIDE) -> heatmap.Panel:
    """A heat map with a named row for each query, from below upwards."""
    panel = heatmap.Panel().title(title).description(says).unit(unit).span(width).height(16).datasource(PROMETHEUS)
    panel.calculate(False).interval("1m").filter_values(heatmap.FilterValueRange().le(1e-9)).cell_gap(1)
    panel.color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(32))
    panel.show_y_histogram().y_axis(heatmap.YAxisConfig().axis_placement(c.AxisPlacement.LEFT).axis_width(360))
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(c.HeatmapCellLayout.AUTO))
    return panel.targets(lettered(queries))


def ladder(title: str, says: str, unit: str, *queries: Query, width: int = HALF) -> bargauge.Panel:
    """A horizontal bar for each query, in their order, under its legend: a table's values would have none."""
    for query in queries:
        query.format(PromQueryFormat.TIME_SERIES)
    panel = bargauge.Panel().title(title).description(says).unit(unit).min(0).span(width).height(10)
    panel.datasource(PROMETHEUS).orientation(c.VizOrientation.HORIZONTAL).display_mode(c.BarGaugeDisplayMode.BASIC)
    panel.name_placement(c.BarGaugeNamePlacement.TOP)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.targets(lettered(queries))


def events(title: str, says: str, logql: str, *, width: int = WIDE) -> logs.Panel:
    """Log events as they came; each line leads to its trace."""
    query = loki.Dataquery().datasource(LOKI).expr(logql).query_type("range").max_lines(200).ref_id("A")
    panel = logs.Panel().title(title).description(says).unit("string").span(width).height(10).datasource(LOKI)
    panel.show_time(True).enable_log_details(True).wrap_log_message(True).sort_order(c.LogsSortOrder.DESCENDING)
    return panel.targets([query])


def counted_events(title: str, says: str, logql: str, legend: str, *, width: int = HALF) -> timeseries.Panel:
    """A metric query of LogQL."""
    query = loki.Dataquery().datasource(LOKI).expr(logql).query_type("range").legend_format(legend).ref_id("A")
    return bars(title, says, COUNT, width=width).datasource(LOKI).targets([query])


def measured_events(title: str, says: str, logql: str, legend: str, *, width: int = HALF) -> timeseries.Panel:
    """A metric query of LogQL whose values are seconds."""
    query = loki.Dataquery().datasource(LOKI).expr(logql).query_type("range").legend_format(legend).ref_id("A")
    panel = lines(title, says, SECONDS, width=width).datasource(LOKI).show_points(c.VisibilityMode.ALWAYS)
    return panel.targets([query])


def traces(title: str, says: str, traceql: str, *, width: int = WIDE) -> table.Panel:
    """Spans that TraceQL finds; each row leads to its trace."""
    query = tempo.TempoQuery().datasource(TEMPO).query_type("traceql").query(traceql).limit(50).spss(3).ref_id("A")
    query.table_type(SearchTableType.SPANS)
    panel = table.Panel().title(title).description(says).unit("none").span(width).height(10).datasource(TEMPO)
    panel.override_by_name("Duration", [d.DynamicConfigValue("unit", "ns")])
    panel.override_by_name("traceIdHidden", [d.DynamicConfigValue("custom.hidden", True)])
    panel.override_by_regexp("(?i)trace.?id", [d.DynamicConfigValue("links", [dict(LOG_LINES_OF_TRACE)])])
    return panel.targets([query])


def measured_traces(title: str, says: str, traceql: str, *, width: int = HALF) -> timeseries.Panel:
    """A metric query of TraceQL."""
    query = tempo.TempoQuery().datasource(TEMPO).query_type("traceql").query(traceql).exemplars(10).ref_id("A")
    return lines(title, says, SECONDS, width=width).datasource(TEMPO).targets([query])


def lettered(queries: Sequence[Query]) -> list[Any]:
    """The queries, each with a letter (from the 27th on two) by which the panel knows it."""
    letters = [chr(65 + at) if at < 26 else f"A{chr(65 + at - 26)}" for at in range(len(queries))]
    return [query.ref_id(letter) for query, letter in zip(queries, letters, strict=True)]


LOG_LINES_OF_TRACE: Final = {
    "title": "Log events of this trace",
    "targetBlank": False,
    "url": (
        "/explore?schemaVersion=1&orgId=${__org.id}&panes="
        '{"a":{"datasource":"${loki_datasource}","queries":[{"refId":"A","datasource":{"type":"loki",'
        '"uid":"${loki_datasource}"},"expr":"{service_name=~\\".%2B\\"} | trace_id=\\"${__value.raw}\\""}],'
        '"range":{"from":"${__from}","to":"${__to}"}}}'
    ),
}
"""Grafana's own link leads from the trace's id to the trace; this one to its lines in Loki."""
