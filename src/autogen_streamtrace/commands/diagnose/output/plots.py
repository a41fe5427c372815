"""The plots of the page: endings over time, silences and durations with the limits marked, paths of lost turns."""

from collections.abc import Sequence
from datetime import datetime, timezone
from math import log10
from typing import Any, Final

import plotly.graph_objects as go  # type: ignore[import-untyped]
import polars as pl

from autogen_streamtrace.commands.diagnose.findings import Diagnosis, Finding
from autogen_streamtrace.core import semconv as sc

COLOURS: Final = {
    sc.COMPLETED: "#3f9c6d",
    sc.LENGTH: "#c9a227",
    sc.FILTERED: "#a58a3a",
    sc.TRUNCATED: "#e0723a",
    sc.TIMEOUT: "#d9487d",
    sc.DISCONNECTED: "#cf3b3b",
    sc.REJECTED: "#9a4bc4",
    sc.MALFORMED: "#7f5af0",
    sc.CANCELLED: "#3f8fd1",
    sc.ABANDONED: "#4fb3bf",
    sc.NEVER_STARTED: "#7d8590",
    sc.FAILED: "#a9502a",
    sc.KILLED: "#555b66",
}
"""Told apart on light and on dark ground."""
_BARS: Final = 60
_PER_DECADE: Final = 40
_PATHS: Final = 6
_LAYERS: Final = (sc.HTTP, sc.TOOL, sc.MODEL, sc.AGENT, sc.TEAM, sc.STREAM, sc.SERVER)
_GREY: Final = "rgba(128,128,128,0.25)"


def endings(table: pl.DataFrame) -> go.Figure:
    """How many streams ended early over time, by outcome."""
    figure = _figure("streams that ended early", barmode="stack")
    early = table.filter(pl.col("early") & pl.col("origin") & pl.col("end").is_not_null())
    if early.height:
        first, last = _range(early["end"])
        width = max(1, (last - first) // _BARS + 1)
        counts = (
            early.with_columns(outcome=pl.col("outcome").cast(pl.String()), bar=(pl.col("end") - first) // width)
            .group_by("outcome", "bar")
            .len()
            .sort("bar")
        )
        for outcome in sc.OUTCOMES:
            bars = counts.filter(pl.col("outcome") == outcome)
            if bars.height:
                times = [_time(first + bar * width + width // 2) for bar in bars["bar"]]
                milliseconds = [width / 1e6] * bars.height
                figure.add_bar(x=times, y=bars["len"].to_list(), width=milliseconds, name=outcome, **_mark(outcome))
    return figure


def times(table: pl.DataFrame, counts: str, findings: Sequence[Finding]) -> go.Figure:
    """How long the silence was, or the stream lasted, where streams ended early; with the limits found.

    Args:
        table: a row per stream.
        counts: ``silence`` or ``duration``.
        findings: whose limits are marked.
    """
    figure = _figure("streams that ended early", barmode="stack")
    figure.update_xaxes(type="log", title="seconds, logarithmic", ticksuffix=" s")
    early = table.filter(pl.col("early") & pl.col("origin")).with_columns(
        outcome=pl.col("outcome").cast(pl.String()), duration=(pl.col("end") - pl.col("start")) / 1e9
    )
    early = early.filter(pl.col(counts).is_not_null()).with_columns(
        bar=(pl.col(counts).clip(0.001).log10() * _PER_DECADE).floor()
    )
    bars = early.group_by("outcome", "bar").len().sort("bar")
    for outcome in sc.OUTCOMES:
        own = bars.filter(pl.col("outcome") == outcome)
        if own.height:
            edges = [(10 ** (bar / _PER_DECADE), 10 ** ((bar + 1) / _PER_DECADE)) for bar in own["bar"]]
            middles = [(low + high) / 2 for low, high in edges]
            widths = [high - low for low, high in edges]
            figure.add_bar(x=middles, y=own["len"].to_list(), width=widths, name=outcome, **_mark(outcome))
    for level, finding in enumerate(f for f in findings if f.seconds and f.counts == counts):
        _line(figure, finding.seconds or 1.0, finding.limit or "unknown limit", level)
    return figure


def _line(figure: go.Figure, seconds: float, text: str, level: int) -> None:
    figure.add_vline(x=seconds, line={"dash": "dot", "width": 1.5, "color": "#888"})
    label = f"{text} {seconds:g} s"
    place = {"x": log10(seconds), "y": 1 - 0.09 * (level % 6), "yref": "paper", "xanchor": "right", "xshift": -4}
    figure.add_annotation(text=label, showarrow=False, **place)


def paths(table: pl.DataFrame, diagnosis: Diagnosis) -> list[tuple[str, str, go.Figure]]:
    """For the worst causes, one lost turn each, layer by layer: trace id, the cause, the plot."""
    drawn = []
    for finding in diagnosis.findings[:_PATHS]:
        if finding.traces:
            trace = finding.traces[0]
            spans = table.filter(
                (pl.col("trace_high") == int(trace[:16], 16)) & (pl.col("trace_low") == int(trace[16:], 16))
            )
            figure = _path(spans)
            if figure is not None:
                drawn.append((trace, finding.title, figure))
    return drawn


def _path(spans: pl.DataFrame) -> go.Figure | None:
    spans = spans.filter(pl.col("start").is_not_null() & pl.col("end").is_not_null())
    if not spans.height:
        return None
    began = _range(spans["start"])[0]
    rows = sorted(spans.iter_rows(named=True), key=lambda row: (-_depth(row["layer"]), row["start"]))
    labels = [f"{row['layer']} {row['name'] or ''}"[:40] for row in rows]
    labels = [f"{label}{chr(0x200B) * at}" for at, label in enumerate(labels)]  # alike names stay rows of their own
    figure = _figure("")
    figure.update_layout(showlegend=False, height=110 + 34 * len(rows), margin={"t": 10})
    figure.update_yaxes(autorange="reversed", title=None, automargin=True)
    figure.update_xaxes(title="seconds from the turn's start", ticksuffix=" s")
    for label, row in zip(labels, rows, strict=True):
        start, length = (row["start"] - began) / 1e9, (row["end"] - row["start"]) / 1e9
        silence = min(row["silence"] or 0.0, length)
        common: dict[str, Any] = {"y": [label], "orientation": "h", "hoverinfo": "text", "hovertext": _told(row)}
        figure.add_bar(x=[length - silence], base=[start], marker_color=COLOURS.get(row["outcome"], "#888"), **common)
        figure.add_bar(
            x=[silence],
            base=[start + length - silence],
            marker={"color": COLOURS.get(row["outcome"], "#888"), "opacity": 0.35, "pattern": {"shape": "/"}},
            **common,
        )
    figure.update_layout(barmode="overlay")
    return figure


def _depth(layer: str | None) -> int:
    return _LAYERS.index(layer) if layer in _LAYERS else -1


def _told(row: dict[str, Any]) -> str:
    parts = [f"{row['layer']} {row['name']}: {row['outcome']}, by {row['ended_by']}"]
    if row["cause"]:
        parts.append(str(row["cause"]))
    if row["silence"] is not None:
        parts.append(f"silent for the last {row['silence']:.3g} s")
    if row["limit"]:
        parts.append(f"{row['limit_source']} limit {row['limit']}")
    return "<br>".join(part.replace("<", "&lt;") for part in parts)


def _figure(y: str, **layout: Any) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 50, "r": 12, "t": 24, "b": 48},
        legend={"orientation": "h", "y": -0.25},
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#888"},
        height=320,
        showlegend=True,
        **layout,
    )
    figure.update_xaxes(gridcolor=_GREY, zerolinecolor=_GREY)
    figure.update_yaxes(gridcolor=_GREY, zerolinecolor=_GREY, title=y)
    return figure


def _mark(outcome: str) -> dict[str, Any]:
    return {"marker": {"color": COLOURS[outcome], "line": {"width": 0}}}


def _range(times_: pl.Series) -> tuple[int, int]:
    low: Any = times_.min()
    high: Any = times_.max()
    return int(low), int(high)


def _time(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc)
