"""`autogen-streamtrace probe` and `autogen-streamtrace echo`."""

import contextlib
import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from autogen_streamtrace.commands.extras import known_limits, limits_option, plain_console, require
from autogen_streamtrace.commands.statuses import command, end, wrong

if TYPE_CHECKING:
    from autogen_streamtrace.commands.probe.exchange import Exchange
    from autogen_streamtrace.commands.probe.verdict import Verdict

MOST_TIME: Final = 3600.0
DEFAULT_TIME: Final = 120.0
DEFAULT_IDLE: Final = 120.0


def _seconds(least: float) -> click.FloatRange:
    return click.FloatRange(least, MOST_TIME)


@command(
    example="http://127.0.0.1:8000/ --via https://example.com/",
    well="the path leaves the stream as it is",
    found="it cuts the stream, or holds it back",
)
@click.argument("url", metavar="URL")
@click.option("--via", default="", metavar="URL", help="The same endpoint through the deployed path.")
@click.option("--method", default="", metavar="METHOD", help="By default GET, or POST where there is a body.")
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="A header; repeatable.")
@click.option("--data", default="", metavar="TEXT|@FILE", help="The body; JSON is sent as such.")
@click.option("--idle", is_flag=True, help="Find the idle limit of the path to an echo application.")
@click.option(
    "--most-silence",
    type=_seconds(0.5),
    default=DEFAULT_IDLE,
    metavar="SECONDS",
    help=f"The longest silence that --idle asks for: {DEFAULT_IDLE:g} by default.",
)
@click.option(
    "--no-stream", is_flag=True, help='Compare with the same request unstreamed ("stream": false in its body).'
)
@click.option(
    "--max-time",
    type=_seconds(0.1),
    default=DEFAULT_TIME,
    metavar="SECONDS",
    help=f"The longest that one request may take: {DEFAULT_TIME:g} by default.",
)
@limits_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def probe(
    url: str,
    via: str,
    method: str,
    header: tuple[str, ...],
    data: str,
    idle: bool,
    most_silence: float,
    no_stream: bool,
    max_time: float,
    limits: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Say what the path to an endpoint does to a stream.

    The endpoint at URL may stream anything: server-sent events or chunks. For --idle, run `autogen-streamtrace echo`
    behind the path, and give its URL through the path.
    """
    require("httpx", what="probe")
    import httpx

    from autogen_streamtrace.commands.probe import idle as idle_limit
    from autogen_streamtrace.commands.probe.exchange import Request, perform
    from autogen_streamtrace.commands.probe.verdict import judge, judge_idle

    for each in (url, *([via] if via else [])):
        if urlsplit(each).scheme not in ("http", "https"):
            raise wrong("URL", f"{each!r} is no http or https URL")
    known = known_limits(limits)
    body = _body(data)
    request = Request(method.upper() or ("POST" if body else "GET"), _headers(header, body), body, max_time)
    with httpx.Client() as client:
        if idle:
            longer = replace(request, longest=most_silence * 1.25 + 20)
            found = idle_limit.find(via or url, most_silence, lambda asked: perform(client, asked, longer))
            verdict = judge_idle(found, known)
            shown = list(found.asked)
        else:
            direct = perform(client, url, request)
            through = perform(client, via, request) if via else None
            plain = _unstreamed(request.body) if no_stream else None
            unstreamed = perform(client, via or url, replace(request, body=plain)) if plain is not None else None
            verdict = judge(direct if through is not None else None, through or direct, unstreamed, known)
            named = (("direct", direct), ("via", through), ("unstreamed", unstreamed))
            shown = [(name, seen) for name, seen in named if seen is not None]
    _show(verdict, shown, as_json=as_json)
    end(found=verdict.found)


def _show(verdict: "Verdict", shown: "list[tuple[str, Exchange]]", *, as_json: bool) -> None:
    from rich.table import Table

    from autogen_streamtrace.commands.probe.exchange import as_json as document
    from autogen_streamtrace.commands.probe.verdict import figures

    if as_json:
        exchanges = [{"name": name, **document(seen)} for name, seen in shown]
        whole = {"verdict": verdict.sentence, "found": verdict.found, "fix": verdict.fix, "exchanges": exchanges}
        click.echo(json.dumps(whole, indent=2))
        return
    click.echo(verdict.sentence)
    if verdict.fix:
        click.echo(f"change  {verdict.fix}")
    console = plain_console()
    heading, *rows = figures(shown)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in heading:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)
    for name, seen in shown:
        console.print(f"trace {seen.trace}  {name}", style="dim")


def _headers(given: Sequence[str], body: bytes) -> dict[str, str]:
    headers = {"accept": "text/event-stream, */*"}
    if body.lstrip().startswith((b"{", b"[")):
        headers["content-type"] = "application/json"
    for header in given:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise wrong("--header", f"{header!r} is no header; write NAME:VALUE")
        headers[name.strip().lower()] = value.strip()
    return headers


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise wrong("--data", f"{data[1:]}: {error.strerror}") from None


def _unstreamed(body: bytes) -> bytes:
    try:
        asked: Any = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise click.UsageError("--no-stream needs a JSON object as --data, in which `stream` is set to false")
    return json.dumps({**asked, "stream": False}).encode()


@command(example="--host 0.0.0.0 --port 8770", well="it was told to end")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="The address to listen on: 127.0.0.1 by default.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8770,
    metavar="NUMBER",
    help="8770 by default; 0 takes a free one.",
)
def echo(host: str, port: int) -> None:
    """Serve the application that `probe --idle` asks for silences.

    It stands behind the path that is probed.
    """
    require("uvicorn", what="echo")
    import uvicorn

    from autogen_streamtrace.commands.probe.echo import app

    # Without a Server header of its own: some proxies name themselves only then.
    config = uvicorn.Config(app, log_level="info", timeout_graceful_shutdown=2, server_header=False)
    listening = _listening(host, port)
    click.echo(f"http://{host}:{listening.getsockname()[1]} streams as each request asks. Ctrl-C ends it.", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.UsageError(f"{host} port {port} cannot be listened on: {error.strerror}") from None
