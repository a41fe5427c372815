"""`autogen-streamtrace probe` and `autogen-streamtrace echo`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from autogen_streamtrace.commands.extras import known_limits, plain_console, require

if TYPE_CHECKING:
    from autogen_streamtrace.commands.probe.exchange import Exchange
    from autogen_streamtrace.commands.probe.verdict import Verdict

MOST_TIME: Final = 3600.0
DEFAULT_TIME: Final = 120.0
DEFAULT_IDLE: Final = 120.0


def probe(
    url: Annotated[str, typer.Argument(metavar="URL", help="An endpoint that streams: SSE or chunked, of any kind.")],
    via: Annotated[str, typer.Option(metavar="URL", help="The same endpoint through the deployed path.")] = "",
    method: Annotated[str, typer.Option(help="GET, or POST where there is a body.")] = "",
    header: Annotated[list[str] | None, typer.Option(metavar="NAME:VALUE", help="A header; repeatable.")] = None,
    data: Annotated[str, typer.Option(metavar="TEXT|@FILE", help="The body; JSON is sent as such.")] = "",
    idle: Annotated[
        bool, typer.Option("--idle", help="Find the idle limit of the path to an echo application.")
    ] = False,
    most_silence: Annotated[
        float, typer.Option(min=0.5, max=MOST_TIME, help="Seconds asked for by --idle.")
    ] = DEFAULT_IDLE,
    no_stream: Annotated[
        bool,
        typer.Option("--no-stream", help='Compare with the same request unstreamed ("stream": false in its body).'),
    ] = False,
    max_time: Annotated[float, typer.Option(min=0.1, max=MOST_TIME, help="Seconds for one request.")] = DEFAULT_TIME,
    limits: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Limits of your own, in TOML.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Stream from an endpoint, and say what the path to it does to the stream."""
    require("httpx", what="probe")
    import httpx

    from autogen_streamtrace.commands.probe import idle as idle_limit
    from autogen_streamtrace.commands.probe.exchange import Request, perform
    from autogen_streamtrace.commands.probe.verdict import judge, judge_idle

    for each in (url, *([via] if via else [])):
        if urlsplit(each).scheme not in ("http", "https"):
            raise typer.BadParameter(f"{each!r} is no http or https URL")
    known = known_limits(limits or [])
    body = _body(data)
    request = Request(method.upper() or ("POST" if body else "GET"), _headers(header or [], body), body, max_time)
    with httpx.Client() as client:
        if idle:
            longer = replace(request, longest=most_silence + 10)
            found = idle_limit.find(via or url, most_silence, lambda asked: perform(client, asked, longer))
            verdict = judge_idle(found, known)
            shown = [(f"{silence:g} s asked", seen) for silence, seen in found.asked]
        else:
            direct = perform(client, url, request)
            through = perform(client, via, request) if via else None
            plain = _unstreamed(request.body) if no_stream else None
            unstreamed = perform(client, via or url, replace(request, body=plain)) if plain is not None else None
            verdict = judge(direct if through is not None else None, through or direct, unstreamed, known)
            named = (("direct", direct), ("via", through), ("unstreamed", unstreamed))
            shown = [(name, seen) for name, seen in named if seen is not None]
    _show(verdict, shown, as_json=as_json)
    if verdict.found:
        raise typer.Exit(1)


def _show(verdict: "Verdict", shown: "list[tuple[str, Exchange]]", *, as_json: bool) -> None:
    from rich.table import Table

    from autogen_streamtrace.commands.probe.exchange import as_json as document
    from autogen_streamtrace.commands.probe.verdict import figures

    if as_json:
        exchanges = [{"name": name, **document(seen)} for name, seen in shown]
        whole = {"verdict": verdict.sentence, "found": verdict.found, "fix": verdict.fix, "exchanges": exchanges}
        typer.echo(json.dumps(whole, indent=2))
        return
    typer.echo(verdict.sentence)
    if verdict.fix:
        typer.echo(f"change  {verdict.fix}")
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


def _headers(given: list[str], body: bytes) -> dict[str, str]:
    headers = {"accept": "text/event-stream, */*"}
    if body.lstrip().startswith((b"{", b"[")):
        headers["content-type"] = "application/json"
    for header in given:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise typer.BadParameter(f"{header!r} is no header; write NAME:VALUE", param_hint="--header")
        headers[name.strip().lower()] = value.strip()
    return headers


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{data[1:]}: {error.strerror}", param_hint="--data") from None


def _unstreamed(body: bytes) -> bytes:
    try:
        asked: Any = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise typer.BadParameter("--no-stream needs a JSON object as --data, in which `stream` is set to false")
    return json.dumps({**asked, "stream": False}).encode()


def echo(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8770,
) -> None:
    """Serve the application that `probe --idle` asks for silences; stands behind the path that is probed."""
    require("uvicorn", what="echo")
    import uvicorn

    from autogen_streamtrace.commands.probe.echo import app

    uvicorn.run(app, host=host, port=port, log_level="info", timeout_graceful_shutdown=2)
