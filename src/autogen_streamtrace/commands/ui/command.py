"""`autogen-streamtrace ui`."""

import asyncio
import contextlib
import sqlite3
import tempfile
import webbrowser
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from autogen_streamtrace.commands.directories import directory_option, store_option
from autogen_streamtrace.commands.extras import known_limits, limits_option, require
from autogen_streamtrace.commands.statuses import command, wrong

if TYPE_CHECKING:
    from autogen_streamtrace.commands.ui.receiving.inlet import Inlet
    from autogen_streamtrace.commands.ui.serving import Addresses, Options

NEEDED: Final = ("grpc", "orjson", "plotly", "polars", "starlette", "uvicorn")
_DAY: Final = 86_400.0
_MB: Final = 10**6


@command(example="--demo", well="it was ended by Ctrl-C or SIGTERM")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--demo", is_flag=True, help="Play the demo into it, in a store of its own that goes at the end.")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option("--port", default=4319, show_default=True, help="Of the page.", type=click.IntRange(0, 65535))
@click.option("--grpc-port", default=4317, show_default=True, help="OTLP over gRPC.", type=click.IntRange(0, 65535))
@click.option("--http-port", default=4318, show_default=True, help="OTLP over HTTP.", type=click.IntRange(0, 65535))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on. Any other than loopback asks for the token that is printed.",
)
@store_option
@click.option("--keep-mb", default=1000, show_default=True, help="Size of the store.", type=click.IntRange(10))
@click.option("--keep-days", default=14.0, show_default=True, help="Age of the store.", type=click.FloatRange(0.001))
@limits_option
@directory_option
def ui(
    files: tuple[str, ...],
    demo: bool,
    no_browser: bool,
    port: int,
    grpc_port: int,
    http_port: int,
    host: str,
    store: Path | None,
    keep_mb: int,
    keep_days: float,
    limits: tuple[Path, ...],
    directory: Path | None,
) -> None:
    """Show on a page what is open now, what cuts the streams, and what to change.

    It receives OTLP where programs send it by default, so programs that are started on this machine appear in it. It
    also reads their flight recorders. A FILE holds OTLP JSON lines, plain or gzip; with files the store is one of its
    own, which goes at the end.
    """
    require(*NEEDED, *(("autogen_agentchat", "autogen_ext", "openai") if demo else ()), what="ui", extra="ui")
    from autogen_streamtrace.commands.reading.pieces import InputError
    from autogen_streamtrace.commands.store.keeping import Bounds
    from autogen_streamtrace.commands.store.place import StoreError
    from autogen_streamtrace.commands.ui.feeding import check
    from autogen_streamtrace.commands.ui.serving import Options, PortError

    known_limits(limits)  # a wrong file is told here
    try:
        check(files)
    except InputError as error:
        raise wrong("FILE...", error) from None
    options = Options(
        host=host,
        page_port=port,
        grpc_port=grpc_port,
        http_port=http_port,
        bounds=Bounds(keep_mb * _MB, keep_days * _DAY),
        limits=limits,
        recorder_dir=directory,
        demo=demo,
        version=metadata.version("autogen-streamtrace"),
    )
    try:
        with _folder(store, own=demo or bool(files)) as folder:
            _run(folder, options, files, browser=not no_browser)
    except PortError as error:
        raise click.UsageError(str(error)) from None
    except (StoreError, sqlite3.Error) as error:
        raise wrong("--store", error) from None


@contextlib.contextmanager
def _folder(chosen: Path | None, *, own: bool) -> Iterator[Path]:
    """The store's directory; one that goes at the end, where the store is not the user's."""
    from autogen_streamtrace.commands.store.place import default

    if chosen is not None or not own:
        yield chosen or default()
        return
    with tempfile.TemporaryDirectory(prefix="autogen-streamtrace-") as folder:
        yield Path(folder)


def _run(folder: Path, options: "Options", files: tuple[str, ...], *, browser: bool) -> None:
    from autogen_streamtrace.commands.store.place import held, say
    from autogen_streamtrace.commands.ui.feeding import feed_files, playing
    from autogen_streamtrace.commands.ui.serving import serve

    with held(folder) as file, contextlib.ExitStack() as stack:

        def ready(addresses: "Addresses", inlet: "Inlet") -> None:
            say(folder, f"the page is at {addresses.page.partition('?')[0]}")
            _greet(addresses, file)
            if files:
                feed_files(files, inlet)
            if options.demo:
                stack.enter_context(playing(addresses.grpc))
            if browser:
                webbrowser.open(addresses.page)

        asyncio.run(serve(file, options, ready))


def _greet(addresses: "Addresses", file: Path) -> None:
    click.echo(f"The page:  {addresses.page}")
    click.echo(f"Receiving: {addresses.grpc} (OTLP over gRPC), {addresses.http} (OTLP over HTTP)")
    click.echo(f"Store:     {file}")
    click.echo("Ctrl-C ends it.")
