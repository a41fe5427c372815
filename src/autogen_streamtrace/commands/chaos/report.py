"""The report at the end of a run: each fault, whom it struck, and what the program's telemetry says of it."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import click
from rich.table import Table

from autogen_streamtrace.commands.chaos.faults import FAULTS
from autogen_streamtrace.commands.chaos.faults.limits import not_played, played
from autogen_streamtrace.commands.chaos.tally import Done, Tally
from autogen_streamtrace.commands.chaos.verdicts import Verdict, Verdicts
from autogen_streamtrace.commands.extras import plain_console

WHOLE: Final = frozenset({"", "gzip", "drip", "burst", "hold_back", "done_hang"})
"""Faults after which a reply is whole."""
NOTHING: Final = "nothing"
"""The verdict where the telemetry has none."""


def show(tally: Tally, source: Verdicts | None, *, as_json: bool) -> bool:
    """Prints the report; whether the telemetry says nothing, or says that all went well, of a reply that was cut."""
    told = source.of(tally.done) if source is not None else None
    rows = [_row(fault, of, told) for fault, of in _by_fault(tally).items()]
    wrong = any(row["missed"] for row in rows)
    if as_json:
        click.echo(json.dumps({"requests": tally.count, "faults": rows}, indent=2))
        return wrong
    if not rows:
        click.echo("No request came.")
        return wrong
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("fault", "requests", "ended", *(["the telemetry says"] if told is not None else [])):
        table.add_column(column, no_wrap=column == "requests")
    for row in rows:
        said = [_counted(row["verdicts"])] if told is not None else []
        table.add_row(row["fault"] or "none", str(row["requests"]), _counted(row["ends"]), *said)
    plain_console().print(table)
    if told is not None and (silent := sum(not done.trace for done in tally.done)):
        click.echo(f"\n{silent} of {len(tally.done)} requests had no `traceparent`, so nothing can be told of them.")
    return wrong


def show_faults() -> None:
    """Prints every fault with its options, and every limit that can be played."""
    width = max(map(len, FAULTS))
    for fault in FAULTS.values():
        click.echo(f"{fault.name:{width}}  {fault.what}; {fault.place}")
        for option, meaning in fault.takes.items():
            click.echo(f"{'':{width}}    {option}=…  {meaning}")
    click.echo("\nEach takes after=5 (events), 2s, 100c (characters), request or never; and for whom: probability=0.2,")
    click.echo("every=3, model=PATTERN, path=PATTERN, header=NAME:PATTERN.\n\nLimits, for --like LIMIT=3s:")
    for limit in played():
        default = f" ({limit.values[0]:g} s)" if limit.values else ""
        click.echo(f"  {limit.id}  {limit.vendor}: {limit.setting}{default}, {limit.counts}")
    for hindrance, limits in not_played().items():
        click.echo(f"\nNot played: it {hindrance}")
        click.echo(f"  {', '.join(limit.id for limit in limits)}")


def _by_fault(tally: Tally) -> dict[str, list[Done]]:
    found: dict[str, list[Done]] = {}
    for done in tally.done:
        found.setdefault(done.fault, []).append(done)
    return found


def _row(fault: str, exchanges: list[Done], told: Mapping[int, Verdict] | None) -> dict[str, Any]:
    ends = Counter(done.end for done in exchanges)
    row: dict[str, Any] = {"fault": fault, "requests": len(exchanges), "ends": dict(ends), "missed": 0}
    if told is None:
        return row
    said = [(done, told.get(done.number)) for done in exchanges]
    cut = [verdict for done, verdict in said if done.end == "struck" and fault not in WHOLE]
    row["verdicts"] = dict(Counter(str(verdict or NOTHING) for _, verdict in said))
    row["missed"] = sum(verdict is None or not verdict.early for verdict in cut)
    return row


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" if len(counts) > 1 else what for what, count in counts.items())
