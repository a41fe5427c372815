"""What the commands print, each run here and now: nothing of it is written by hand."""

import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from .addresses import ROOT
from .stage import Stage

PAGE, GRPC, HTTP, CHAOS, ECHO, MODEL = 4319, 4317, 4318, 9100, 8770, 8000
"""The ports that a reader sees: those that the commands take by themselves, and the model's."""
FAULT: Final = "stall"
STORED: Final = ROOT / "tests" / "proxies" / "stored" / "haproxy_before_nginx.jsonl.gz"
"""What a program exported of forty turns behind a real HAProxy and nginx."""
QUESTION: Final = '{"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "Where is my claim?"}]}'
ENDPOINT: Final = "v1/chat/completions"
TURNS: Final = 2
"""That hang while `top` looks."""


class Shown(NamedTuple):
    """A command as a reader types it, and what it printed."""

    typed: str
    printed: str


def outputs() -> dict[str, list[Shown]]:
    """The runs of each command, by its name."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        done = [pool.submit(scene, Stage(Path(folder, scene.__name__))) for scene in (hangs, alone, path)]
        return {name: shown for each in done for name, shown in each.result().items()}


def hangs(stage: Stage) -> dict[str, list[Shown]]:
    """Streams that hang in a program, which is then killed: what `chaos`, `top` and `recover` tell."""
    with stage.start("chaos", "--port", "0", "--fault", FAULT) as chaos:
        port = chaos.port()
        where = {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OTEL_SERVICE_NAME": "desk"}
        patient = ("--turns", str(TURNS), "--timeout", "600")
        with stage.start("game_day.py", "ask", *patient, **where, AUTOGEN_STREAMTRACE_STALL_AFTER="1") as program:
            stage.stalled(TURNS)
            open_now = stage.run("top", "--once", "--layers")
            program.end(signal.SIGKILL)
        cut = stage.tidy(chaos.end(), {port: CHAOS})
    return {
        "chaos": [Shown(f"chaos --fault {FAULT}", cut)],
        "top": [Shown("top --once --layers", stage.tidy(open_now))],
        "recover": [Shown("recover --dry-run", stage.tidy(stage.run("recover", "--dry-run")))],
    }


def path(stage: Stage) -> dict[str, list[Shown]]:
    """A path that holds a model's words back, as `probe` tells."""
    with stage.start("chaos", "--port", "0") as model:
        direct = f"http://127.0.0.1:{model.port()}/slow"
        with stage.start("chaos", "--port", "0", "--upstream", direct, "--fault", "hold_back") as proxy:
            port = proxy.port()
            urls = (f"{direct}/{ENDPOINT}", "--via", f"http://127.0.0.1:{port}/{ENDPOINT}")
            printed = stage.run("probe", *urls, "--data", QUESTION)
    ports = {direct.rpartition(":")[2].split("/")[0]: MODEL, port: CHAOS}
    return {
        "probe": [Shown(stage.tidy(f"probe {' '.join(urls)} --data '{QUESTION}'", ports), stage.tidy(printed, ports))]
    }


def alone(stage: Stage) -> dict[str, list[Shown]]:
    """The commands that need nothing else."""
    free = ("--port", "0", "--grpc-port", "0", "--http-port", "0")
    with stage.start("ui", "--no-browser", *free) as ui:
        page, (grpc, http) = ui.port(), ui.until(r":(\d+) \(.*:(\d+) \(").groups()
        ui.until("Ctrl-C")
        shown = Shown("ui --no-browser", stage.tidy(ui.end(), {page: PAGE, grpc: GRPC, http: HTTP}))
    with stage.start("echo", "--port", "0") as echo:
        port = echo.port()
        echo.until("startup complete")
        served = Shown("echo", stage.tidy(echo.end(), {port: ECHO}))
    chosen = ("ok", "stall", "fin", "tool_raises")
    demo = ["demo", *(word for name in chosen for word in ("--only", name))]
    audit = ["audit", "wrong.py:impatient", "--server", "gunicorn --timeout 60 main:app"]
    return {
        "demo": [Shown(" ".join(demo), stage.tidy(stage.run(*demo)))],
        "audit": [Shown(f"audit wrong.py:impatient --server '{audit[-1]}'", stage.tidy(stage.run(*audit)))],
        "diagnose": [Shown(f"diagnose {STORED.name}", stage.tidy(stage.run("diagnose", str(STORED))))],
        "echo": [served],
        "ui": [shown],
    }
