"""`autogen-streamtrace diagnose`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from autogen_streamtrace.commands.extras import known_limits, plain_console, require

if TYPE_CHECKING:
    from rich.console import Console

    from autogen_streamtrace.commands.diagnose.reading import Streams

NEEDED: Final = ("polars", "orjson", "httpx")
NEEDED_FOR_PAGES: Final = ("plotly", "jinja2")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def diagnose(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…", help="OTLP JSON lines, plain or gzip; - is standard input; or a Loki's or Prometheus' URL."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the same as a page with plots.")] = None,
    limits: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Limits of your own, in TOML; repeatable.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back a URL is asked: 30m, 24h, 7d.")] = "24h",
    selector: Annotated[
        str, typer.Option(help='Which logs or series a URL is asked for, such as {service_name="desk"}.')
    ] = "",
) -> None:
    """Say what cuts the streams, and what to change where."""
    require(*NEEDED, *(NEEDED_FOR_PAGES if html is not None else ()), what="diagnose")
    from rich.console import Console

    from autogen_streamtrace.commands.diagnose.findings import diagnose as find
    from autogen_streamtrace.commands.diagnose.report import as_json as document
    from autogen_streamtrace.commands.diagnose.report import show

    attribution = known_limits(limits or [])
    streams = _read(sources, _seconds(since), selector, Console(stderr=True))
    diagnosis = find(streams.table, attribution)
    if html is not None:
        from autogen_streamtrace.commands.diagnose.page import write

        try:
            write(html, diagnosis, streams)
        except OSError as error:
            raise typer.BadParameter(f"{html}: {error.strerror}", param_hint="--html") from None
    if as_json:
        import orjson

        typer.echo(orjson.dumps(document(diagnosis, streams), option=orjson.OPT_INDENT_2).decode())
    else:
        show(plain_console(), diagnosis, streams)
    if diagnosis.findings:
        raise typer.Exit(1)


def _seconds(since: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", since)
    if match is None:
        raise typer.BadParameter(f"{since!r} is no time; write 90s, 30m, 24h or 7d", param_hint="--since")
    return float(match[1]) * _UNITS[match[2]]


def _read(sources: list[str], seconds: float, selector: str, console: "Console") -> "Streams":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from autogen_streamtrace.commands.diagnose import reading, remote
    from autogen_streamtrace.commands.diagnose.pieces import InputError, size

    urls = [source for source in sources if remote.is_url(source)]
    if urls and len(sources) > 1:
        raise typer.BadParameter("one URL, or files, at a time", param_hint="FILE…")
    bars = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*bars, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=sum(map(size, sources)) or None)
        try:
            if urls:
                return remote.read(urls[0], seconds, selector, lambda count: progress.update(task, completed=count))
            return reading.read(sources, lambda count: progress.update(task, completed=count))
        except InputError as error:
            raise typer.BadParameter(str(error), param_hint="FILE…") from None
