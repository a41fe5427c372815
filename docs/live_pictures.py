"""Takes the pictures of the page of `ui`, of `top` and of a diagnosis, in docs/pictures.

A day of turns of two versions, some of the demo, and programs that run, one of which hangs. Needs a Chromium.

python docs/live_pictures.py [FOLDER]
"""

import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import synthetic
from chromium import chromium
from page_server import PROGRAMS, PageServer, page_server
from PIL import Image
from playwright.sync_api import Page, expect
from rich.console import Console
from synthetic import Turn, cut, lines
from windows import Windows

from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.diagnose.findings import diagnose
from autogen_streamtrace.commands.diagnose.output.report import show
from autogen_streamtrace.commands.reading.files import read
from autogen_streamtrace.commands.top.streams import open_streams
from autogen_streamtrace.commands.top.table import table
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher, builtin

TARGET: Final = Path(__file__).with_name("pictures")
DAY: Final = 86_400
WIDE, NARROW = 150, 120
"""Columns of a terminal."""
TAKEN: Final = (
    ("now", "light"),
    ("now", "dark"),
    ("now", "phone"),
    ("cuts", "light"),
    ("turn", "light"),
    ("compare", "light"),
)
"""Views, what is open first: the stream that hangs is lost after half a minute."""
COLOURS: Final = 160
"""Of a picture, so that it is small enough for a repository."""
FLOWING: Final = {"triage_agent": "claims", "summary": "reports"}
"""Streams that are open in the pictures, each with its service."""


def versions() -> Iterator[tuple[str, list[Turn]]]:
    """A day of turns of two versions: the newer one waits longer for the first word, and hears of fewer cuts."""
    random_ = random.Random(5)
    start = time.time() - synthetic.BEGINNING / 1e9 - DAY

    def moment() -> float:
        return start + random_.triangular(0, DAY - 120, DAY * 0.7)

    def some(count: int, **what: object) -> list[Turn]:
        return [Turn(**{"duration": random_.lognormvariate(2, 0.7), "at": moment(), **what}) for _ in range(count)]  # type: ignore[arg-type]

    def of(version: int) -> list[Turn]:
        cuts = [cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=moment()) for _ in range(46 // version)]
        rate = some(
            14, outcome=sc.REJECTED, status=429, cause="openai.RateLimitError", ended_by=sc.UPSTREAM, duration=0.4
        )
        left = some(
            11,
            outcome=sc.CANCELLED,
            ended_by=sc.END_USER,
            cancelled_by=sc.BY_DISCONNECT,
            origin=sc.AGENT,
            cause="asyncio.exceptions.CancelledError",
            silence=random_.uniform(0.1, 9),
        )
        longest = some(6, outcome=sc.LENGTH, origin=sc.MODEL)
        return [*some(320, first=0.5 * version), *cuts, *rate, *left, *longest]

    yield "1.1", of(1)
    yield "1.2", of(3)


def play(server: PageServer) -> None:
    """The demo sends there."""
    only = [word for name in ("ok", "stall", "fin", "team_stall", "tool_raises") for word in ("--only", name)]
    demo = [sys.executable, "-m", "autogen_streamtrace", "demo", "--otlp", "--json", *only]
    subprocess.run(demo, env=server.variables, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def running(server: PageServer, service: str, *command: str) -> Iterator[None]:
    """A program with open streams."""
    environment = {
        **server.variables,
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2",
        "AUTOGEN_STREAMTRACE_STALL_AFTER": "4",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait(20)


@contextmanager
def scene(folder: Path) -> Iterator[PageServer]:
    """The page's server with all that."""
    with page_server(folder) as server, ModelServer() as model, ExitStack() as programs:
        day = [
            line
            for number, (version, turns) in enumerate(versions())
            for line in lines(turns, "desk", version, number * 10_000)
        ]
        server.send(day)
        (folder / "day.jsonl").write_text("\n".join(day))
        play(server)
        for name, service in FLOWING.items():
            programs.enter_context(running(server, service, sys.executable, str(PROGRAMS / "flowing.py"), name))
        server.wait("causes", lambda found: found["fresh"] and len(found["findings"]) > 4)
        stalls = (sys.executable, str(PROGRAMS / "stalling.py"), model.url("stall"), "claims_agent")
        programs.enter_context(running(server, "desk", *stalls))
        server.wait("now", lambda found: found["worst"] and found["headline"]["stalled"])
        yield server


def terminal(target: Path, server: PageServer, day: Path) -> None:
    """What `top` shows of the programs that run, and `diagnose` of the day."""
    with (target / "top.svg").open("w") as file:
        console = Console(record=True, width=WIDE, file=io.StringIO(), highlight=False)
        console.print(table(open_streams(str(server.recorders), layers=True), WIDE))
        file.write(console.export_svg(title="autogen-streamtrace top", unique_id="top"))
    streams = read([str(day)])
    with (target / "diagnose.svg").open("w") as file:
        console = Console(record=True, width=NARROW, file=io.StringIO(), highlight=False)
        show(console, diagnose(streams.table, LimitMatcher(builtin())), streams)
        file.write(console.export_svg(title="autogen-streamtrace diagnose", unique_id="diagnose"))


def view(page: Page, name: str) -> None:
    """Waits until a view is drawn."""
    marks = {"now": ".stream-open.stalled", "cuts": ".finding", "turn": ".span.selected", "compare": ".finding"}
    page.locator(marks[name]).first.wait_for()
    expect(page.locator(".plot:not(:has(.bars path))")).to_have_count(0)


def small(png: bytes) -> Image.Image:
    """The picture in few colours."""
    return Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


def main(target: Path) -> None:
    """Takes them, light and dark."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder)) as server, chromium() as browser:
        lost = server.ask("turns?service=autogen-streamtrace-demo&outcome=timeout&order=longest")["turns"][0]["trace"]
        addresses = {
            "now": "now",
            "cuts": "cuts",
            "turn": f"turn/{lost}",
            "compare": "compare?by=version&a.version=1.1&b.version=1.2",
        }
        terminal(target, server, Path(folder, "day.jsonl"))
        windows = Windows(browser)
        for name, mode in TAKEN:
            page = windows.open(f"{server.address}#/{addresses[name]}", mode)
            view(page, name)
            small(page.screenshot()).save(target / f"page-{name}-{mode}.png", optimize=True)
        windows.close()
        assert windows.wrong == [], windows.wrong


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
