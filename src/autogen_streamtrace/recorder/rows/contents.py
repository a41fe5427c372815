"""The contents of a stream's row, taken from its state and from the report of its end."""

from opentelemetry.trace import TraceFlags

from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.telemetry.counters import cut_labels, ended_labels
from autogen_streamtrace.core.telemetry.limiters import Attributes
from autogen_streamtrace.core.watching.recorder import Report
from autogen_streamtrace.recorder import layout


def ids_of(state: StreamState) -> layout.Ids:
    """Where a stream's span belongs."""
    trace, span, _, flags, *_ = state.span.get_span_context()
    sampled = bool(flags & TraceFlags.SAMPLED)
    if state.context is not None:  # its span starts only at its end
        return layout.Ids(trace, 0, span, sampled)
    parent = getattr(state.span, "parent", None)
    return layout.Ids(trace, span, parent.span_id if parent is not None else 0, sampled)


def verdict_of(state: StreamState, report: Report) -> layout.Judged:
    """A stream's verdict, with the labels that differ from the span's attributes because they are capped."""
    attributes, counted = report.attributes, report.counted
    return layout.Judged(
        report.span.get_span_context().span_id,
        report.end_ns,
        attributes,
        _changed(ended_labels(state.labels, attributes), counted.ended),
        _changed(cut_labels(state.labels, attributes), counted.cut) if counted.cut is not None else {},
    )


def _changed(plain: Attributes, counted: Attributes) -> Attributes:
    if plain is counted or plain == counted:
        return {}
    return {key: value for key, value in counted.items() if plain[key] != value}
