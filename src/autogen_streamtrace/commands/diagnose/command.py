"""`autogen-streamtrace diagnose`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from autogen_streamtrace.commands.directories import store_option
from autogen_streamtrace.commands.extras import known_limits, limits_option, plain_console, require
from autogen_streamtrace.commands.statuses import command, end, wrong

if TYPE_CHECKING:
    from rich.console import Console

    from autogen_streamtrace.commands.reading.files import Streams

NEEDED: Final = ("polars", "orjson", "httpx")
NEEDED_FOR_PAGES: Final = ("plotly", "starlette")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@command(example="otlp.jsonl", well="nothing cuts the streams", found="something does")
@click.argument("sources", metavar="[FILE]...", nargs=-1)
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write the same as a page with plots.")
@limits_option
@click.option("--since", default="24h", metavar="TIME", help="How far back a URL is asked: 30m, 24h (default), 7d.")
@click.option(
    "--selector",
    default="",
    metavar="QUERY",
    help='What a URL is asked for: {service_name="desk"}; a LogsQL filter on VictoriaLogs; on Jaeger a service.',
)
def diagnose(
    sources: tuple[str, ...],
    store: Path | None,
    as_json: bool,
    html: Path | None,
    limits: tuple[Path, ...],
    since: str,
    selector: str,
) -> None:
    """Say what cuts the streams, and what to change where.

    A FILE holds OTLP JSON lines, plain or gzip, as the Collector's file exporter writes them; - is standard input. Or
    it is the URL of a Loki, a VictoriaLogs, a Jaeger or a Prometheus. Without any it reads what
    `autogen-streamtrace ui` has received.
    """
    require(*NEEDED, *(NEEDED_FOR_PAGES if html is not None else ()), what="diagnose")
    from rich.console import Console

    from autogen_streamtrace.commands.diagnose.findings import diagnose as find
    from autogen_streamtrace.commands.diagnose.output.report import as_json as document
    from autogen_streamtrace.commands.diagnose.output.report import show

    attribution = known_limits(limits)
    streams = _read(sources, _seconds(since), selector, Console(stderr=True)) if sources else _stored(store)
    diagnosis = find(streams.table, attribution)
    if html is not None:
        from autogen_streamtrace.commands.diagnose.output.page import write

        try:
            write(html, diagnosis, streams, sources, attribution)
        except OSError as error:
            raise wrong("--html", f"{html}: {error.strerror}") from None
    if as_json:
        import orjson

        click.echo(orjson.dumps(document(diagnosis, streams), option=orjson.OPT_INDENT_2).decode())
    else:
        show(plain_console(), diagnosis, streams)
    end(found=bool(diagnosis.findings))


def _stored(folder: Path | None) -> "Streams":
    """What `autogen-streamtrace ui` has received."""
    import sqlite3

    from autogen_streamtrace.commands.reading.files import Streams
    from autogen_streamtrace.commands.store.frames import stored
    from autogen_streamtrace.commands.store.place import StoreError

    try:
        return Streams(stored(folder))
    except (StoreError, sqlite3.Error) as error:
        raise wrong("FILE...", error) from None


def _seconds(since: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", since)
    if match is None:
        raise wrong("--since", f"{since!r} is no time; write 90s, 30m, 24h or 7d")
    return float(match[1]) * _UNITS[match[2]]


def _read(sources: Sequence[str], seconds: float, selector: str, console: "Console") -> "Streams":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from autogen_streamtrace.commands.reading import files, remote
    from autogen_streamtrace.commands.reading.pieces import InputError, size

    urls = [source for source in sources if remote.is_url(source)]
    if urls and len(sources) > 1:
        raise wrong("FILE...", "one URL, or files, at a time")
    bars = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*bars, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=sum(map(size, sources)) or None)
        try:
            if urls:
                return remote.read(urls[0], seconds, selector, lambda count: progress.update(task, completed=count))
            return files.read(sources, lambda count: progress.update(task, completed=count))
        except InputError as error:
            raise wrong("FILE...", error) from None
