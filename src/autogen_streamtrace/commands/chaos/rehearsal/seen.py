"""The report of a game day: for each step, whether the telemetry says what the plan expects."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table

from autogen_streamtrace.commands.chaos.rehearsal.course import Course, Played
from autogen_streamtrace.commands.chaos.rehearsal.plan import Step
from autogen_streamtrace.commands.chaos.verdicts import NANOSECONDS, Verdicts
from autogen_streamtrace.commands.extras import plain_console

if TYPE_CHECKING:
    import polars as pl

_COLUMNS: Final = ("layer", "outcome", "ended_by", "origin", "loop_late")


def show(course: Course, source: Verdicts | None, *, as_json: bool) -> bool:
    """Prints the report; whether a step that was played was not seen as the plan expects.

    A stream belongs to the step in which it began.
    """
    table = source.table() if source is not None else None
    rows = [_row(played, table) for played in course.played]
    left = [step.name for step in course.plan.steps[len(course.played) :]]
    missed = any(row.get("seen") == 0 for row in rows)
    if as_json:
        click.echo(json.dumps({"steps": rows, "not_played": left}, indent=2))
        return missed
    picture = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("step", "requests", "expected", *(["the telemetry says"] if table is not None else [])):
        picture.add_column(column, no_wrap=column == "requests")
    for row in rows:
        picture.add_row(row["step"], str(row["requests"]), row["expected"], *([_said(row)] if "seen" in row else []))
    for name in left:
        picture.add_row(name, "", "not played")
    plain_console().print(picture)
    return missed


def _row(played: Played, table: "pl.DataFrame | None") -> dict[str, Any]:
    step = played.step
    words = [step.outcome, step.ended_by, step.layer, f"loop late by {step.loop_late:g} s" if step.loop_late else ""]
    row: dict[str, Any] = {
        "step": step.name,
        "requests": played.requests,
        "expected": ", ".join(filter(None, words)),
        "alerts": list(step.alerts),
    }
    if table is None:
        return row
    began, ended = (int(at * NANOSECONDS) for at in (played.began, played.ended))
    start = table["start"].fill_null(table["end"])  # log events tell when the outermost streams began, and no others
    streams = table.filter((start >= began) & (start < ended)).select(_COLUMNS).to_dicts()
    row["seen"] = sum(_fits(step, stream) for stream in streams)
    origins = [stream for stream in streams if stream["origin"]]
    row["origins"] = dict(Counter(f"{each['outcome']}, {each['ended_by']}, {each['layer']}" for each in origins))
    return row


def _fits(step: Step, stream: dict[str, Any]) -> bool:
    return (
        stream["outcome"] == step.outcome
        and step.ended_by in ("", stream["ended_by"])
        and step.layer in ("", stream["layer"])
        and (stream["loop_late"] or 0.0) >= step.loop_late
    )


def _said(row: dict[str, Any]) -> str:
    if row["seen"]:
        return "seen once" if row["seen"] == 1 else f"seen, {row['seen']} times"
    others = "; ".join(f"{count} {what}" for what, count in row["origins"].items())
    return f"not seen; {others or 'nothing of this step'}"
