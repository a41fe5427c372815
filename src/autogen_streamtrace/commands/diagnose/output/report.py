"""The diagnosis as text, and as JSON."""

import dataclasses
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from autogen_streamtrace.commands.diagnose.findings import Diagnosis, Finding
from autogen_streamtrace.commands.reading.files import Streams

SURE_STYLES = {
    "certain": "green",
    "very likely": "green",
    "likely": "yellow",
    "possible": "yellow",
    "too few to say": "dim",
}


def show(console: Console, diagnosis: Diagnosis, streams: Streams) -> None:
    """Prints what cuts the streams, the worst first."""
    console.print(Text(diagnosis.summary, "bold"))
    healed = f", {diagnosis.healed:,} early endings were healed by a retry" if diagnosis.healed else ""
    of = f" of {', '.join(diagnosis.services)}" if diagnosis.services else ""
    console.print(Text(f"{diagnosis.streams:,} streams in {diagnosis.turns:,} turns{of}{healed}.", "dim"))
    for rank, finding in enumerate(diagnosis.findings, 1):
        console.print()
        console.print(_lines(rank, finding))
    if streams.remark:
        console.print()
        console.print(Text(streams.remark, "dim"))
    if streams.bad:
        console.print()
        console.print(Text(f"{_counted(streams.bad, 'line')} could not be used, wholly or in part:", "yellow"))
        for told in streams.told:
            console.print(Text(f"  {told}", "yellow"))
        if streams.bad > len(streams.told):
            console.print(Text(f"  and {streams.bad - len(streams.told):,} more", "yellow"))


def _lines(rank: int, finding: Finding) -> Group:
    turns = f"{_counted(finding.lost, 'turn')} lost"
    streams = "" if finding.streams == finding.lost else f" by {_counted(finding.streams, 'ending')}"
    head = Text.assemble(f"{rank}. ", (finding.title, "bold"))
    told = [
        Text.assemble(f"{turns}{streams} · ", (finding.sure, SURE_STYLES[finding.sure])),
        *(Text(f"- {evidence}") for evidence in finding.evidence if evidence),
        Text.assemble(("change ", "cyan"), finding.fix),
    ]
    if finding.page:
        told.append(Text(f"see {finding.page}", "dim"))
    if finding.traces:
        told.append(Text(f"for instance trace {', '.join(finding.traces)}", "dim"))
    return Group(head, *(Padding(line, (0, 0, 0, 3), expand=False) for line in told))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def as_json(diagnosis: Diagnosis, streams: Streams) -> dict[str, Any]:
    """One document for other programs."""
    return {
        **dataclasses.asdict(diagnosis),
        "remark": streams.remark,
        "input": {"lines": streams.lines, "other": streams.others, "bad": streams.bad, "told": streams.told},
    }
