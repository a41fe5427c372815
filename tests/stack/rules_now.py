"""The shipped rules, sped up: what takes minutes in production takes seconds here."""

import re
from pathlib import Path

from dashboards.board import ALERTS


def sped_up(folder: Path) -> list[Path]:
    """Copies of the Prometheus rules in which each minute of waiting and between two evaluations is a second."""
    made = []
    for name in ("recording-rules.yaml", "alert-rules.yaml"):
        text = (ALERTS / name).read_text()
        text = re.sub(r"^(\s*)(interval|for): (\d+)m$", r"\1\2: \3s", text, flags=re.MULTILINE)
        made.append(folder / name)
        made[-1].write_text(text)
    return made
