"""The runbooks, as HTML."""

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt

from autogen_streamtrace.core import semconv as sc

if TYPE_CHECKING:
    from autogen_streamtrace.commands.diagnose.scene import Kind  # it imports polars, which only the findings need

OF_KIND: Final[dict["Kind", str]] = {
    "moment": "one-moment",
    "reuse": "reused-connection",
    "refused": "refused-by-proxy",
    "queue": "full-queue",
    "buffering": "buffering",
    "deadline": "deadline",
    "reader": "users-give-up",
}
"""The runbook of a sort of cause; the others have that of their outcome."""


def of_finding(kind: "Kind", outcome: str, *, timed: bool) -> str:
    """The name of a finding's runbook; empty where there is none. ``timed``: it comes after a fixed time."""
    name = outcome if kind == "reader" and not timed else OF_KIND.get(kind, outcome)
    if kind == "deadline" and outcome == sc.TIMEOUT:
        name = sc.TIMEOUT
    return name if _file(name) is not None else ""


@cache
def runbook(name: str) -> dict[str, Any] | None:
    """A runbook; none where there is no such one."""
    text = _file(name)
    if text is None:
        return None
    title = next((line[2:] for line in text.splitlines() if line.startswith("# ")), name)
    linked = re.sub(r"\]\((?:\./)?([a-z0-9_-]+)\.md(?:#[^)]*)?\)", r"](#runbook=\1)", text)
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(linked)
    return {"name": name, "title": title, "html": html}


def _file(name: str) -> str | None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,60}", name):
        return None
    packed = resources.files("autogen_streamtrace.commands.ui") / "runbooks"
    source = Path(__file__).parents[5] / "docs" / "runbooks"  # in a copy of the repository
    for folder in (packed, source):
        file = folder / f"{name}.md"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None
