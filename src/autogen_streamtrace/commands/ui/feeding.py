"""Feeds the page with files, or with the demo."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import click
import orjson

from autogen_streamtrace.commands.reading.otlp_json import ShapeError
from autogen_streamtrace.commands.reading.pieces import InputError, pieces
from autogen_streamtrace.commands.store.writing import Batch
from autogen_streamtrace.commands.ui.receiving.inlet import BusyError, Inlet, StoreFaultError
from autogen_streamtrace.commands.ui.receiving.requests import RequestError


def check(files: Sequence[str]) -> None:
    """Raises ``InputError`` where a file cannot be opened or is empty."""
    for source in files:
        if not any(piece.data.strip() for piece in pieces(source)):
            raise InputError(f"{source} is empty")


def feed_files(files: Sequence[str], inlet: Inlet) -> None:
    """Stores the content of files, in a thread of its own."""
    threading.Thread(target=_feed, args=(tuple(files), inlet), name="files", daemon=True).start()


def _feed(files: tuple[str, ...], inlet: Inlet) -> None:
    for source in files:
        try:
            number, bad = _feed_one(source, inlet)
        except (InputError, StoreFaultError) as error:
            click.echo(str(error), err=True)
            continue
        told = f", of which {bad:,} could not be used" if bad else ""
        click.echo(f"Read {source}: {number:,} line{'' if number == 1 else 's'}{told}", err=bool(bad))


def _feed_one(source: str, inlet: Inlet) -> tuple[int, int]:
    number = bad = 0
    for piece in pieces(source):
        bad += bool(piece.problem)
        for line in piece.data.splitlines():
            if line.strip():
                number += 1
                bad += not _put(line, inlet)
    return number, bad


def _put(line: bytes, inlet: Inlet) -> bool:
    def work() -> Batch:
        try:
            return Batch.of(orjson.loads(line))
        except (orjson.JSONDecodeError, ShapeError) as error:
            raise RequestError(str(error)) from None

    while True:
        try:
            inlet.put(work, len(line)).result()
        except RequestError:
            return False
        except BusyError:
            continue
        return True


@contextlib.contextmanager
def playing(endpoint: str) -> Iterator[None]:
    """The demo runs in a process of its own, and sends to this gRPC endpoint as any program would."""
    variables = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "autogen_streamtrace", "demo", "--otlp", "--json"],
        env={
            **variables,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "OTEL_BLRP_SCHEDULE_DELAY": "500",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(5)
