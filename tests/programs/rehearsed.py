"""`rehearsed.py`: the program of a game day, forked for each line of its input, so that its imports are paid once.

A line has the environment and the arguments: `OTEL_SERVICE_NAME=x python examples/game_day.py ask`. The answer is
`done`, when the process has ended; at once where the line ends with `&`.
"""

import importlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
game_day = importlib.import_module("game_day")


def start(words: list[str]) -> int:
    """A process that does it; its number."""
    python = words.index("python")
    child = os.fork()
    if not child:
        os.environ.update(dict(word.split("=", 1) for word in words[:python]))
        game_day.main(words[python + 2 :])
        sys.exit()  # as a program ends: what the SDK holds goes out
    return child


left = []
for line in sys.stdin:
    command = line.rstrip("&\n")
    process = start(command.split())
    if command == line.rstrip("\n"):
        os.waitpid(process, 0)
    else:
        left.append(process)
    print("done", flush=True)
for process in left:
    os.waitpid(process, 0)
