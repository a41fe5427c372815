"""Takes the pictures of the dashboards in docs/pictures, light and dark, as Grafana's own components draw them.

Prometheus holds a synthetic day and answers their queries; nothing of what a dashboard asks is made up but the answers
of Loki and Tempo (see `records`). Each picture is a check: every panel draws, none is empty, no script fails, no text
is cut off. Needs Node, a Chromium and the binaries of `make tools`.

python tools/panels [FOLDER]
"""

import contextlib
import io
import json
import mimetypes
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "dashboards"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chromium import chromium
from PIL import Image
from playwright.sync_api import Browser, Route
from playwright.sync_api import TimeoutError as TookTooLong

from panels.answers import Answers
from panels.day_store import store
from panels.traffic import END, streams

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
TARGET: Final = ROOT / "docs" / "pictures"
BOARDS: Final = ("ending-early", "one-path", "objectives", "instrument")
MODES: Final = ("light", "dark")
WIDTH: Final = 1_440
SCALE: Final = 0.9
COLOURS: Final = 256
"""Of a picture, so that it is small enough for a repository."""
ORIGIN: Final = "http://panels.localhost"
PAGE: Final = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/page.css"><div id="root"></div>"""
MODULES: Final = HERE / "node_modules"
ICONS: Final = MODULES / "@grafana" / "ui" / "dist" / "public"
FONTS: Final = {
    "/public/fonts/inter/Inter-Regular": "inter/files/inter-latin-400-normal.woff2",
    "/public/fonts/inter/Inter-Medium": "inter/files/inter-latin-500-normal.woff2",
    "/public/fonts/roboto/": "roboto-mono/files/roboto-mono-latin-400-normal.woff2",
}
"""How the addresses begin under which Grafana looks for its fonts, and what they are here."""
FAULTS: Final = (HERE / "faults.js").read_text()

EMPTY: Final[dict[str, str]] = {}
"""Panels that show nothing on that day, each with the reason."""

CUT_OFF: Final = {
    "Streams that ended early": "Grafana cuts the cells of its table of spans",
    "Streams of the chosen agent or model, with an early ending below": "the same",
}
"""Panels in which texts may be cut off, each with the reason."""


def build() -> None:
    """The page, in one script; installs what it is made of where that is missing."""
    if not (HERE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE, check=True)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=HERE, check=True)


def serve(route: Route) -> None:
    """The page's own files and Grafana's icons; nothing comes from a network."""
    path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
    if path == "/":
        route.fulfill(body=PAGE, content_type="text/html")
        return
    font = next((file for beginning, file in FONTS.items() if path.startswith(beginning)), None)
    if font:
        file = MODULES / "@fontsource" / font
    elif path.startswith("/public/"):
        file = ICONS / path.removeprefix("/public/build/")
    else:
        file = HERE / "build" / path[1:]
    if not file.is_file():
        route.fulfill(status=404)
        return
    route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0])


def draw(browser: Browser, board: dict[str, Any]) -> tuple[bytes, list[str]]:
    """A dashboard's picture, and what is wrong with it."""
    wrong: list[str] = []
    context = browser.new_context(
        viewport={"width": board["width"], "height": height(board)},
        device_scale_factor=SCALE,
        timezone_id="UTC",
        locale="en-GB",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.clock.set_fixed_time(END * 1000)
    page.on("response", lambda got: wrong.append(f"{got.status}: {got.url}") if not got.ok else None)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.route("**/*", serve)
    page.goto(f"{ORIGIN}/")
    page.evaluate("board => { window.board = board; }", board)
    page.add_script_tag(url=f"{ORIGIN}/page.js")
    with contextlib.suppress(TookTooLong):  # the number of panels tells it
        page.wait_for_function("window.drawn === true", timeout=20_000)
    drawn = page.locator(".panel").count()
    expected = sum(panel["type"] != "row" for panel in board["panels"])
    if drawn != expected:
        wrong.append(f"{drawn} of {expected} panels are drawn")
    wrong += page.evaluate(FAULTS, list(CUT_OFF))
    picture = page.screenshot(full_page=True)
    context.close()
    return picture, wrong


def height(board: dict[str, Any]) -> int:
    """All of it: what is out of sight is not drawn."""
    rows: int = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    return 150 + 38 * rows


def empty(board: dict[str, Any]) -> Iterator[str]:
    """Panels without a value, and those that are expected to have none but have one."""
    for panel in board["panels"]:
        values = [value for frame in panel.get("frames", []) for field in frame["fields"] for value in field["values"]]
        name = f"{board['title']}: {panel['title']}"
        if panel["type"] != "row" and (name in EMPTY) == any(
            value is not None
            for frame in panel["frames"]
            for field in frame["fields"]
            if field["type"] != "time"
            for value in field["values"]
        ):
            yield f"{name}: {len(values)} values"


def small(png: bytes) -> Image.Image:
    """The picture in few colours."""
    return (
        Image.open(io.BytesIO(png))
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    )


def main(target: Path) -> None:
    """Takes them all, and fails with what is wrong with any."""
    build()
    target.mkdir(parents=True, exist_ok=True)
    day = streams()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, store(Path(folder), day) as prometheus, chromium() as browser:
        answers = Answers(prometheus, day)
        for name in BOARDS:
            read = json.loads((ROOT / "dashboards" / f"{name}.json").read_text())
            for mode in MODES:
                board = answers.board(read, WIDTH, mode)
                wrong += empty(board) if mode == MODES[0] else ()
                picture, faults = draw(browser, board)
                wrong += [f"{name} {mode}: {fault}" for fault in faults]
                small(picture).save(target / f"dashboard-{name}-{mode}.png", optimize=True)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
