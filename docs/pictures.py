"""Writes the README's picture, docs/demo.svg: what the demo prints of some of its scenarios.

python docs/pictures.py
"""

import asyncio
import io
from pathlib import Path
from typing import Final

from rich.console import Console

from autogen_streamtrace.commands.demo.run import Demo, quiet
from autogen_streamtrace.commands.demo.scenarios import SCENARIOS
from autogen_streamtrace.commands.demo.view import PLAIN_WIDTH, View

TARGET: Final = Path(__file__).with_name("demo.svg")
CHOSEN: Final = (
    "ok",
    "length",
    "retry",
    "tool_raises",
    "tool_hang",
    "stall",
    "fin",
    "rst",
    "silent",
    "error_event",
    "http_429",
    "abort",
    "break",
    "token_cancel",
    "team_stall",
)


async def play(console: Console) -> None:
    with Demo() as demo, View(console, len(CHOSEN)) as view:
        for name in CHOSEN:
            row = await demo.play(SCENARIOS[name])
            if not row.right:
                raise SystemExit(f"{name}: {'; '.join(row.wrong)}")
            view.show(row)


def main() -> None:
    console = Console(record=True, width=PLAIN_WIDTH, file=io.StringIO(), highlight=False)
    with quiet():
        asyncio.run(play(console))
    console.save_svg(str(TARGET), title="autogen-streamtrace demo", unique_id="demo")


if __name__ == "__main__":
    main()
