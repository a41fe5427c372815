"""*Now*: every open stream, and what has just ended."""

import time
from typing import Any, Final

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID

from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.top.streams import Open
from autogen_streamtrace.commands.ui.machine import Program, is_outermost
from autogen_streamtrace.commands.ui.views.filters import OF_CAST, OF_SOURCE, Filters, where
from autogen_streamtrace.commands.ui.views.turn_list import turn_list
from autogen_streamtrace.commands.ui.words import sentences
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.recorder.layout import Row

Document = dict[str, Any]

_OPEN: Final = 500
_ENDED: Final = 50
_RECENT: Final = 300.0
"""Seconds that count as recent."""
_PROGRAM: Final = 900.0
_GIVEN_UP: Final = 6 * 3600.0
"""Seconds after which a stream that has no recorder, and whose end never came, is not shown as open any more."""


def now(reader: Reader, programs: list[Program], filters: Filters) -> Document:
    """The view of what the filters choose; their time does not count."""
    started = _started(reader)
    of_recorders = [_open(turn, program) for program in programs for turn in program.open]
    known = {each["span"] for each in of_recorders}
    alive = {program.resource.get(SERVICE_INSTANCE_ID, "") for program in programs}
    received = [each for each in started if each["span"] not in known and each.pop("instance") not in alive]
    open_now = [each for each in (*of_recorders, *received) if _fits(each, filters)]
    open_now.sort(key=lambda each: (not each["stalled"], each["last_at"]))
    recent = Filters(filters.chosen, since=_RECENT)
    turns, cut = _counts(reader, recent)
    return {
        "at": time.time() * 1000,
        "open": open_now[:_OPEN],
        "open_total": len(open_now),
        "ended": _ended(reader, programs, filters),
        "programs": _programs(reader, programs),
        "headline": {
            "open": len(open_now),
            "stalled": sum(each["stalled"] for each in open_now),
            "cut_5m": cut,
            "turns_5m": turns,
        },
    }


def _labels(resource: dict[str, Any]) -> Document:
    environment = resource.get("deployment.environment.name", resource.get("deployment.environment"))
    return {
        "service": resource.get("service.name"),
        "version": resource.get("service.version"),
        "environment": environment,
    }


def _open(turn: list[Open], program: Program) -> Document:
    head, *inside = turn
    return {
        "key": f"{head.process}:{head.span_id or head.trace_id}:{head.name}",
        "trace": head.trace_id or None,
        "span": head.span_id or None,
        **_labels(program.resource),
        "process": head.process,
        "source": "recorder",
        **_moments(head, program),
        "inside": [{**_moments(each, program), "span": each.span_id, "depth": each.depth} for each in inside],
    }


def _moments(each: Open, program: Program) -> Document:
    return {
        "layer": each.layer,
        "name": each.name,
        "start": round(program.at - each.age * 1000),
        "last_at": round(program.at - each.silent_for * 1000),
        "chunks": each.chunks,
        "stalled": each.stalled,
        "waiting_on": each.waiting_on,
    }


def _started(reader: Reader) -> list[Document]:
    """Streams whose start has been received, and no end."""
    since = time.time_ns() - round(_GIVEN_UP * 1e9)
    rows = reader.rows(
        "SELECT trace, span, source, start, layer, name, last, stalled, waiting_on FROM opened WHERE last > ?"
        f" ORDER BY last LIMIT {2 * _OPEN}",
        (since,),
    )
    found = []
    for trace, span, source, start, layer, name, last, stalled, waiting_on in rows:
        resource = reader.resource(source)
        found.append(
            {
                "key": f"{trace.hex()}:{span.hex()}",
                "trace": trace.hex(),
                "span": span.hex(),
                **_labels(resource),
                "process": resource.get("process.pid"),
                "instance": resource.get(SERVICE_INSTANCE_ID),
                "source": "start",
                "layer": reader.text(layer),
                "name": reader.text(name),
                "start": start / 1e6,
                "last_at": last / 1e6,
                "chunks": None,
                "stalled": stalled is not None,
                "waiting_on": reader.text(waiting_on),
                "inside": [],
            }
        )
    return found


def _fits(each: Document, filters: Filters) -> bool:
    for name, wanted in filters.chosen.items():
        if name in OF_SOURCE and each[name] not in wanted:
            return False
        if name in OF_CAST:
            members = (each, *each["inside"])
            if not any(one["layer"] == OF_CAST[name] and one["name"] in wanted for one in members):
                return False
        if name == "layer" and each["layer"] not in wanted:
            return False
    return True


def _ended(reader: Reader, programs: list[Program], filters: Filters) -> list[Document]:
    """The turns that ended last; those that a recorder shows and that have not arrived yet, too."""
    stored: list[Document] = turn_list(reader, Filters(filters.chosen), limit=_ENDED)["turns"]
    shown = {each["trace"] for each in stored}
    fresh = [_judged(row, program) for program in programs for row in program.ended if is_outermost(row)]
    fresh = [
        each
        for each in fresh
        if each["trace"] not in shown and _fits({**each, "inside": []}, filters)
        if not {"outcome", "ended_by"} & filters.chosen.keys()
    ]
    return sorted((*stored, *fresh), key=lambda each: -(each["at"] or 0))[:_ENDED]


def _judged(row: Row, program: Program) -> Document:
    assert row.judged is not None
    told = row.judged.attributes
    fault = bool(told.get(sc.A_FAULT))
    turn = {
        "layer": row.state.layer,
        "name": row.state.name,
        "outcome": told.get(sc.A_OUTCOME),
        "ended_by": told.get(sc.A_ENDED_BY),
        "waiting_on": told.get(sc.A_WAITING_ON_TYPE),
        "waiting_on_name": told.get(sc.A_WAITING_ON_NAME),
        "silence": told.get(sc.A_SILENCE),
        "limit": told.get(sc.A_LIMIT_ID),
        "limit_value": told.get(sc.A_LIMIT_VALUE),
        "cause": told.get(sc.A_CAUSE_TYPE),
    }
    return {
        "trace": f"{row.ids.trace:032x}" if row.ids.trace else None,
        **_labels(program.resource),
        "start": row.state.start_ns / 1e6,
        "end": row.judged.end_ns / 1e6,
        "at": row.judged.end_ns / 1e6,
        **turn,
        "waiting_on": " ".join(filter(None, (turn["waiting_on"], turn["waiting_on_name"]))),
        "fault": fault,
        "early": bool(told.get(sc.A_EARLY)),
        "sort": sentences.sort(str(turn["outcome"]), fault=fault),
        "sentence": sentences.of_turn(turn),
        "stored": False,
    }


def _counts(reader: Reader, filters: Filters) -> tuple[int, int]:
    chosen = where(reader, filters)
    query = f"SELECT count(*), total(u.early) FROM turns u WHERE {chosen.text}"
    turns, cut = reader.rows(query, chosen.values)[0]
    return turns, int(cut)


def _programs(reader: Reader, programs: list[Program]) -> list[Document]:
    found = [
        {
            **_labels(program.resource),
            "process": program.process,
            "alive": True,
            "open": len(program.open),
            "last_at": program.at,
        }
        for program in programs
    ]
    known = {(each["service"], str(each["process"])) for each in found}
    alive = {program.resource.get(SERVICE_INSTANCE_ID, "") for program in programs}
    since = time.time_ns() - round(_PROGRAM * 1e9)
    query = 'SELECT u.source, max(u."end") FROM turns u WHERE u."end" > ? GROUP BY +u.source ORDER BY 2 DESC LIMIT 50'
    for source, last in reader.rows(query, (since,)):
        resource = reader.resource(source)
        process = resource.get("process.pid")
        told = resource.get(SERVICE_INSTANCE_ID) in alive or (resource.get("service.name"), str(process)) in known
        if not told:
            found.append({**_labels(resource), "process": process, "alive": None, "open": 0, "last_at": last / 1e6})
    return found
