"""The pages of the site and their order."""

from pathlib import Path
from typing import Final

from . import addresses, pages

ORDER: Final = {
    "Use it": [
        "how-a-stream-is-judged",
        "examples",
        "agent-framework",
        "servers",
        "extending",
        "known-limits",
        "coverage",
    ],
    "On call": ["ui", "diagnose", "runbooks/README", "dashboards", "limits"],
    "Rehearse": ["chaos", "game-day", "testing"],
    "Run it": ["recorder", "backends/README", "scaling", "kubernetes", "privacy", "costs"],
    "Reference": ["settings", "commands", "api", "telemetry", "stability"],
    "The project": ["contributing", "security", "upstream", "changelog"],
}
"""The navigation: captions, and the pages below each."""


def pages_of_docs() -> list[str]:
    """The addresses of the pages that people wrote."""
    return [
        *addresses.ELSEWHERE.values(),
        *(page.relative_to(addresses.DOCS).as_posix() for page in addresses.DOCS.rglob("*.md")),
    ]


def text(page: str) -> str:
    """The text of a page that people wrote."""
    return addresses.home(page).read_text()


MADE: Final = {"api.md": pages.api, "commands.md": pages.commands, "limits.md": pages.limits}
"""The pages that are made from code and data, by address."""


def complete(written: dict[str, str]) -> dict[str, str]:
    """The pages with the navigation, and with a page for each file to which one of them links."""
    files = {target for page in pages_of_docs() for target in addresses.linked(addresses.home(page)) if _shown(target)}
    shown = {addresses.on_site(file): pages.shown(file) for file in files}
    navigation = "".join(_toctree(caption, below) for caption, below in ORDER.items())
    folders = {
        page: written[page] + _toctree("", _beside(page)) for page in ("runbooks/README.md", "backends/README.md")
    }
    return {**written, **shown, **folders, "index.md": written["index.md"] + navigation}


def _beside(page: str) -> list[str]:
    """The other pages in the folder of a page."""
    return sorted(other.stem for other in (addresses.DOCS / page).parent.glob("*.md") if other.name != "README.md")


def _shown(target: Path) -> bool:
    return target.is_file() and addresses.on_site(target).startswith("files/")


def _toctree(caption: str, below: list[str]) -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *below, "```", ""])
