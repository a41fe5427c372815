"""Puts a dashboard's variables into its queries, asks, and makes frames for Grafana's panels of the answers."""

import re
from collections.abc import Mapping
from typing import Any, Final

from panels import records
from panels.day_store import Store
from panels.traffic import END, Stream

SPAN: Final = records.SPAN
EXPORTED: Final = 60
"""Seconds between two samples: the `timeInterval` that the data source would be given."""
ROUND: Final = (60, 120, 300, 600)
MEASURES: Final = {"time_to_first_chunk": "first", "longest_gap": "gap", "caller_time": "caller"}

Board = dict[str, Any]
Panel = dict[str, Any]
Frame = dict[str, Any]


class Answers:
    """Answers a dashboard's panels from a Prometheus and from the day's events."""

    def __init__(self, store: Store, day: list[Stream]) -> None:
        self._store = store
        self._day = day
        self._events = records.events(day)

    def board(self, board: Board, width: int, mode: str) -> dict[str, Any]:
        """What the page draws: the panels with their frames, and the variables with their values."""
        values = {each["name"]: chosen(each) for each in board["templating"]["list"]}
        panels = [
            panel if panel["type"] == "row" else self._panel(panel, values, width * panel["gridPos"]["w"] // 24)
            for panel in board["panels"]
        ]
        shown = [each for each in board["templating"]["list"] if each.get("hide", 0) != 2]
        return {
            "title": board["title"],
            "mode": mode,
            "width": width,
            "from": (END - SPAN) * 1000,
            "to": END * 1000,
            "variables": [{"label": each.get("label") or each["name"], "text": caption(each)} for each in shown],
            "panels": panels,
        }

    def _panel(self, panel: Panel, values: Mapping[str, str], pixels: int) -> Panel:
        least = max(EXPORTED, SPAN / pixels)
        step = next(each for each in ROUND if each >= least)
        frames: list[Frame] = []
        for target in panel["targets"]:
            query = filled(target.get("expr") or target["query"], values, step)
            kind = target["datasource"]["type"]
            ask = {"prometheus": self._prometheus, "loki": self._loki, "tempo": self._tempo}[kind]
            frames += ask(panel, target, query, step)
        for transformation in panel.get("transformations", []):
            assert transformation["id"] == "organize", f"{panel['title']}: {transformation['id']} is not known here"
            frames = [organized(frame, transformation["options"]) for frame in frames]
        return {**panel, "frames": frames, "step": step}

    def _prometheus(self, panel: Panel, target: dict[str, Any], query: str, step: int) -> list[Frame]:
        if target.get("instant"):
            found = self._store.at(query, END)
            if target.get("format") == "table":
                return table(found)
            rows = [(each["metric"], {END: float(each["value"][1])}) for each in found]
            return lines(rows, [END], target.get("legendFormat", ""))
        found = self._store.over(query, END - SPAN, END, step)
        rows = [(each["metric"], {int(at): float(value) for at, value in each["values"]}) for each in found]
        return lines(rows, list(range(END - SPAN, END + 1, step)), target.get("legendFormat", ""))

    def _loki(self, panel: Panel, target: dict[str, Any], query: str, step: int) -> list[Frame]:
        if panel["type"] == "logs":
            found = list(records.sentences(self._events, query, target["maxLines"]))
            times = [at * 1000 for at, _ in found]
            return [frame(("Time", "time", times), ("Line", "string", [line for _, line in found]))]
        window = max(step, 300)
        series = records.measured(self._events, query, window)
        return lines(series, list(range(END - SPAN, END + 1, window)), target.get("legendFormat", ""))

    def _tempo(self, panel: Panel, target: dict[str, Any], query: str, step: int) -> list[Frame]:
        if panel["type"] == "table":
            rows = records.spans(self._events, origins="&>>" not in query, most=target["limit"])
            columns = [
                (name, "string", [row.get(key, "") for _, row in rows]) for name, key in records.SPAN_COLUMNS.items()
            ]
            return [frame(columns[0], ("Start time", "time", [at * 1000 for at, _ in rows]), *columns[1:])]
        measure = next(MEASURES[name] for name in MEASURES if name in query)
        series = records.medians(self._day, measure, 300)
        return lines(series, list(range(END - SPAN, END + 1, 300)), "{{streamtrace_layer}}")


def chosen(variable: dict[str, Any]) -> str:
    """A variable's value as it stands in a query: everything, unless it says otherwise."""
    if variable["type"] == "query":
        return str(variable["allValue"])
    query = variable.get("query", "")
    return "" if variable["type"] == "textbox" else str(query)


def caption(variable: dict[str, Any]) -> str:
    """What the list on top of the dashboard shows."""
    if variable["type"] == "datasource":
        return str(variable["query"]).title()
    return "All" if variable["type"] == "query" else ""


def filled(query: str, values: Mapping[str, str], step: int) -> str:
    """A query with Grafana's own variables and the dashboard's."""
    own = {
        "__rate_interval": f"{max(step + EXPORTED, 4 * EXPORTED)}s",
        "__interval": f"{step}s",
        "__range": f"{SPAN}s",
        "__auto": f"{max(step, 300)}s",
    }
    known = {**own, **values}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known[match[1]], query)


def lines(series: records.Series, times: list[int], legend: str) -> list[Frame]:
    """A frame for each series, with nothing where it has no value."""
    return [
        frame(
            ("Time", "time", [at * 1000 for at in times]),
            ("Value", "number", [number(values.get(at)) for at in times]),
            name=caption_of(legend, labels),
        )
        for labels, values in series
    ]


def number(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity."""
    return None if value is None or value != value or abs(value) == float("inf") else value


def caption_of(legend: str, labels: Mapping[str, str]) -> str:
    text = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), legend).strip()
    return text or ", ".join(labels.values()) or "Value"


def table(found: list[dict[str, Any]]) -> list[Frame]:
    """One frame: a column for each label, and the value."""
    names = sorted({name for each in found for name in each["metric"]})
    columns = [(name, "string", [each["metric"].get(name, "") for each in found]) for name in names]
    values = [number(float(each["value"][1])) for each in found]
    if not found:
        return []
    return [frame(("Time", "time", [END * 1000] * len(found)), *columns, ("Value", "number", values))]


def organized(one: Frame, options: dict[str, Any]) -> Frame:
    """Grafana's transformation of that name: which columns, in which order, under which headings."""
    order, names = options["indexByName"], options["renameByName"]
    kept = [field for field in one["fields"] if not options["excludeByName"].get(field["name"])]
    kept.sort(key=lambda field: order.get(field["name"], len(order)))
    return {**one, "fields": [{**field, "name": names.get(field["name"], field["name"])} for field in kept]}


def frame(*columns: tuple[str, str, list[Any]], name: str = "") -> Frame:
    config = {"displayNameFromDS": name} if name else {}
    fields = [
        {"name": title, "type": kind, "values": values, "config": {**config} if kind == "number" else {}}
        for title, kind, values in columns
    ]
    return {"name": name, "fields": fields}
